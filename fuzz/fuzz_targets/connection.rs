#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cctv_agent_fuzz::readers::connection(bytes));
