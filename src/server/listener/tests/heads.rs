//! Heads of requests: how large they may be, and how long they may take.

use super::*;

/// A head of exactly this size.
fn head_of(bytes: usize) -> String {
    let (start, end) = ("GET /echo HTTP/1.1\r\nhost: h\r\nx-padding: ", "\r\n\r\n");
    format!("{start}{}{end}", "x".repeat(bytes - start.len() - end.len()))
}

#[tokio::test(start_paused = true)]
async fn the_first_head_that_is_late_gets_408() {
    locally(async {
        for beginning in ["", "G", "GET /echo HTTP/1.1\r\nhost: h\r\n"] {
            let mut client = Client::connect().await;
            client.send(beginning).await;
            let (rest, after) = client.rest().await;
            assert!(rest.starts_with("HTTP/1.1 408 "), "{rest:?} after {beginning:?}");
            took(after, 10);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_later_head_that_is_late_ends_the_connection_without_a_response() {
    locally(async {
        for beginning in
            ["G", "\rG", "GET /echo HTTP/1.1\r\nhost: h\r\n", "GET /echo HTTP/1.1\r\nhost: h\r\n\r"]
        {
            let mut client = Client::connect().await;
            client.is_served().await;
            client.is_served().await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            client.send(beginning).await;
            let (rest, after) = client.rest().await;
            assert_eq!(rest, "", "after {beginning:?}");
            took(after, 10);
            assert_eq!(client.seen.paths(), ["/echo", "/echo"]);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_makes_no_head_last_longer() {
    locally(async {
        let mut client = Client::connect().await;
        client.is_served().await;
        for byte in b"GET /" {
            client.send([*byte]).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let (rest, after) = client.rest().await;
        assert_eq!(rest, "");
        took(after, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_came_with_the_request_before_it_is_no_exception() {
    locally(async {
        let mut client = Client::connect().await;
        client.send("GET /echo HTTP/1.1\r\nhost: h\r\n\r\nGET /ec").await;
        assert_eq!(client.response().await, (200, String::new()));
        let (rest, after) = client.rest().await;
        assert_eq!(rest, "");
        took(after, 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_takes_almost_too_long_is_served() {
    locally(async {
        let mut client = Client::connect().await;
        for _ in 0..3 {
            client.send("GET /echo HTTP/1.1\r\n").await;
            tokio::time::sleep(Duration::from_secs(9)).await;
            client.send("host: h\r\n\r\n").await;
            assert_eq!(client.response().await, (200, String::new()));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_may_be_of_32_kib_and_not_a_byte_more() {
    locally(async {
        for later in [false, true] {
            for (bytes, fits) in [(32 << 10, true), ((32 << 10) + 1, false), (120 << 10, false)] {
                let mut client = Client::connect().await;
                if later {
                    client.is_served().await;
                }
                let head = head_of(bytes);
                assert_eq!(head.len(), bytes);
                client.send(head).await;
                if fits {
                    assert_eq!(client.response().await, (200, String::new()));
                    client.is_served().await;
                } else {
                    let (rest, after) = client.rest().await;
                    assert_eq!(rest, "", "{bytes} bytes, later: {later}");
                    took(after, 0);
                }
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_without_end_is_not_read_further() {
    locally(async {
        for endless in ["x", "x: y\r\n", "\r"] {
            let mut client = Client::with_room(64).await;
            let sent = async {
                client.stream.write_all(b"GET /echo HTTP/1.1\r\n").await?;
                for _ in 0..100_000 {
                    client.stream.write_all(endless.as_bytes()).await?;
                }
                io::Result::Ok(())
            };
            assert!(sent.await.is_err(), "it took all of {endless:?}");
            assert_eq!(client.seen.paths(), Vec::<String>::new());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn empty_lines_before_a_head_are_skipped_and_make_no_connection_last_longer() {
    locally(async {
        let mut client = Client::connect().await;
        client.is_served().await;
        client.send("\r\n\n\r\n").await;
        client.is_served().await;
        client.send("\r").await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        client.send("\n").await;
        client.is_served().await;
        client.send("\r\n").await;
        let (rest, after) = client.rest().await;
        assert_eq!(rest, "");
        took(after, 75);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_head_is_refused_as_before() {
    locally(async {
        for nonsense in ["\u{1}\u{2}\u{3}\r\n\r\n", "GET\n\n", "GET / HTTP/1.1\r\n\r\n", "\r\r\n\r\n"] {
            let mut client = Client::connect().await;
            client.send(nonsense).await;
            let (rest, after) = client.rest().await;
            assert!(rest.starts_with("HTTP/1.1 400 "), "{rest:?} to {nonsense:?}");
            took(after, 0);
        }
    })
    .await;
}
