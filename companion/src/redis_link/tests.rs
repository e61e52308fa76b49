//! A Redis that is not there, does not answer, or is something else.

use super::*;
use ::tests::Redis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A connection to a real server.
pub(crate) fn link(redis: &Redis) -> Link {
    Link::open(&Secret::new(redis.url())).unwrap()
}

async fn ping(link: &Link) -> Result<String, String> {
    let mut commands = ::redis::pipe();
    commands.cmd("PING");
    let answers = link.ask::<String>(&mut commands).await.map_err(|it| it.to_string())?;
    answers.into_iter().next().unwrap().map_err(|it| it.to_string())
}

/// Somebody who reads and answers each read with `answer`.
pub(crate) async fn somebody(answer: &'static [u8]) -> Link {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://:hunter2@{}/0", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; 1024];
                while stream.read(&mut bytes).await.is_ok_and(|it| it > 0) {
                    let _ = stream.write_all(answer).await;
                }
            });
        }
    });
    Link::open(&Secret::new(url)).unwrap()
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let mut server = Redis::start();
    let link = link(&server);
    assert_eq!(ping(&link).await, Ok("PONG".into()));
    server.stop();
    for _ in 0..20 {
        assert!(ping(&link).await.is_err());
    }
    server.start_again();
    while ping(&link).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ping(&link).await, Ok("PONG".into()));
}

#[tokio::test]
async fn silence_and_nonsense_are_errors_within_a_bound_and_tell_no_password() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\xff\xfe",
        b"$99999999999999999999\r\n",
        b"-ERR hunter2\r\n",
        b"*1000000000\r\n",
        b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n:7\r\n",
    ] {
        let link = somebody(answer).await;
        let error = ping(&link).await;
        if answer.starts_with(b"+OK") {
            // Says what nobody asked for; it is not believed to be a PONG.
            assert_ne!(error, Ok("PONG".into()));
            continue;
        }
        let error = error.unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn while_it_cannot_be_reached_everybody_is_told_at_once() {
    // Nobody listens at the port of a listener that is gone.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let link = Link::open(&Secret::new(format!("redis://{gone}"))).unwrap();
    let first = ping(&link).await.unwrap_err();
    let second = ping(&link).await.unwrap_err();
    assert!(!first.contains("a moment ago") && second.contains("a moment ago"), "{first}; {second}");
}

#[test]
fn an_address_that_is_none_is_not_repeated() {
    for wrong in ["", "hunter2", "http://:hunter2@host", "redis://:hunter2@", "redis://h:port/hunter2"] {
        let error = Link::open(&Secret::new(wrong.to_owned())).unwrap_err();
        assert!(error.starts_with("expected redis://") && !error.contains("hunter2"), "{wrong}: {error}");
    }
    assert!(!format!("{:?}", Link::open(&Secret::new("redis://:hunter2@h".into())).unwrap()).contains("hunter2"));
}
