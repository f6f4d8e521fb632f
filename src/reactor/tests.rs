use std::{
    io::Write,
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    thread,
    time::Duration,
};

use smol::{Async, Executor, Timer};

use super::{ReadSocket, block_on, yield_now};
use crate::time::timeout;

/// Nothing here takes so long, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

fn pair() -> (TcpStream, Async<TcpStream>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    near.set_nodelay(true).unwrap();
    (near, Async::new(listener.accept().unwrap().0).unwrap())
}

/// The next bytes, at most `space`.
async fn read(socket: &ReadSocket<TcpStream>, space: usize) -> Vec<u8> {
    let mut buffer = vec![0; space];
    let count = timeout(DEADLINE, socket.read(&mut buffer)).await.expect("no event").unwrap();
    buffer.truncate(count);
    buffer
}

#[test]
fn bytes_that_come_before_and_while_the_thread_waits_are_read() {
    let (mut near, far) = pair();
    near.write_all(b"first").unwrap();
    let (go, gone) = mpsc::channel();
    let writer = thread::spawn(move || {
        for word in ["second", "third"] {
            gone.recv().unwrap();
            near.write_all(word.as_bytes()).unwrap();
        }
        near
    });
    block_on(async {
        let socket = ReadSocket::new(far);
        assert!(socket.registration.is_some(), "this thread waits itself");
        assert_eq!(read(&socket, 64).await, b"first");
        for word in ["second", "third"] {
            assert!(smol::future::poll_once(socket.read(&mut [0; 64])).await.is_none());
            go.send(()).unwrap();
            assert_eq!(read(&socket, 64).await, word.as_bytes());
        }
    });
    drop(writer.join());
}

#[test]
fn more_bytes_than_there_is_space_for_need_no_event_of_their_own() {
    let (mut near, far) = pair();
    near.write_all(&[7; 100]).unwrap();
    block_on(async {
        let socket = ReadSocket::new(far);
        let mut count = 0;
        while count < 100 {
            count += read(&socket, 8).await.len();
        }
        near.write_all(b"more").unwrap();
        assert_eq!(read(&socket, 8).await, b"more");
    });
}

/// The end came before the bytes were read, in the same event.
#[test]
fn end_of_a_connection_is_noticed_behind_its_last_bytes() {
    let (mut near, far) = pair();
    near.write_all(b"last").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    block_on(async {
        let socket = ReadSocket::new(far);
        assert_eq!(read(&socket, 64).await, b"last");
        assert_eq!(read(&socket, 64).await, b"");
        assert_eq!(read(&socket, 64).await, b"", "as often as it is asked");
    });
}

#[test]
fn every_datagram_is_received() {
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = receiver.local_addr().unwrap();
    block_on(async {
        let socket = ReadSocket::new(Async::new(receiver).unwrap());
        for burst in [1, 5, 2] {
            for number in 0..burst {
                sender.send_to(&[number; 10], address).unwrap();
            }
            for number in 0..burst {
                let mut buffer = [0; 64];
                let (count, from) = timeout(DEADLINE, socket.recv_from(&mut buffer)).await.expect("no event").unwrap();
                assert_eq!((&buffer[..count], from), (&[number; 10][..], sender.local_addr().unwrap()));
            }
        }
    });
}

#[test]
fn timers_and_other_threads_end_a_wait() {
    let (sender, receiver) = smol::channel::bounded(1);
    let executor = Executor::new();
    let task = executor.spawn(async move {
        Timer::after(Duration::from_millis(1)).await;
        thread::spawn(move || sender.try_send("sent").unwrap());
        receiver.recv().await.unwrap()
    });
    assert_eq!(block_on(executor.run(async { timeout(DEADLINE, task).await })), Some("sent"));
}

/// One task always finds something to do. Another one's bytes come meanwhile.
#[test]
fn task_that_always_has_something_to_do_lets_the_others_read() {
    let (mut near, far) = pair();
    let executor = Executor::new();
    block_on(async {
        let socket = ReadSocket::new(far);
        let reader = executor.spawn(async move { read(&socket, 8).await });
        let busy = async {
            // The reader waits by now.
            while executor.try_tick() {}
            near.write_all(b"bytes").unwrap();
            let mut turns = 0;
            while !reader.is_finished() {
                // The thread itself never waits.
                assert!(smol::future::poll_once(yield_now()).await.is_none());
                executor.try_tick();
                turns += 1;
                assert!(turns < 1_000_000, "its event is never taken");
            }
        };
        busy.await;
    });
}

#[test]
fn outside_the_loop_another_thread_waits() {
    let (mut near, far) = pair();
    let socket = ReadSocket::new(far);
    assert!(socket.registration.is_none());
    near.write_all(b"bytes").unwrap();
    assert_eq!(smol::block_on(read(&socket, 8)), b"bytes");
}

#[test]
fn sockets_that_are_dropped_are_forgotten() {
    block_on(async {
        for _ in 0..10 {
            let (mut near, far) = pair();
            near.write_all(b"bytes").unwrap();
            let socket = ReadSocket::new(far);
            assert_eq!(read(&socket, 8).await, b"bytes");
        }
        assert_eq!(super::current().unwrap().sources.lock().len(), 0);
    });
}
