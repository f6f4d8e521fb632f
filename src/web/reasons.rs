//! Reasons as JSON.

use serde_json::{Map, Value, json};

use crate::text::{Part, Reason, reasons};

/// The parts of `reason`, in order; the text is for readers that do not know the code.
pub fn as_json(reason: &Reason) -> Value {
    let part = |part: &Part| {
        let params: Map<_, _> = part.params().iter().map(|(name, value)| ((*name).to_owned(), param(value))).collect();
        json!({ "code": part.code().word(), "params": params, "text": part.text() })
    };
    reason.parts().iter().map(part).collect()
}

fn param(value: &reasons::Value) -> Value {
    match value {
        reasons::Value::Text(text) => json!(text),
        // Milliseconds are enough for every number in a reason.
        reasons::Value::Number(number) if number.fract() == 0.0 => json!(*number as i64),
        reasons::Value::Number(number) => json!((number * 1000.0).round() / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Code;

    #[test]
    fn parts_are_listed_with_their_parameters() {
        let reason = Reason::from(Code::CannotConnect.with("host", "10.0.0.1:554"))
            .and(Code::Retry.with("seconds", 4.237_189).with("attempt", 3_u32));
        let expected = json!([
            { "code": "cannot_connect", "params": { "host": "10.0.0.1:554" }, "text": "cannot connect to 10.0.0.1:554" },
            { "code": "retry", "params": { "seconds": 4.237, "attempt": 3 }, "text": "trying again in 4 s (attempt 3)" },
        ]);
        assert_eq!(as_json(&reason), expected);
        assert_eq!(as_json(&Reason::default()), json!([]));
    }
}
