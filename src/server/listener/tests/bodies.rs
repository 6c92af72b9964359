//! Bodies of requests: where they end, and what becomes of those that nobody reads.

use super::*;

const CHUNKED: &str = "POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_body_is_a_body_however_much_it_looks_like_a_request() {
    locally(async {
        let hidden = "GET /hidden HTTP/1.1\r\nhost: h\r\n\r\n".repeat(400);
        let length = hidden.len();
        for request in [
            format!("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n{hidden}"),
            format!("{CHUNKED}{length:x};a=\"b\"\r\n{hidden}\r\n0\r\nx: y\r\n\r\n"),
        ] {
            for size in [1, 7, 1_000, 100_000] {
                let mut client = Client::connect().await;
                for piece in request.as_bytes().chunks(size) {
                    client.send(piece).await;
                    if size > 7 {
                        tokio::task::yield_now().await;
                    }
                }
                assert_eq!(client.response().await, (200, hidden.clone()));
                client.is_served().await;
                assert_eq!(client.seen.paths(), ["/echo", "/echo"]);
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_chunked_body_is_the_next_request() {
    locally(async {
        let mut client = Client::connect().await;
        let next = "GET /echo?2 HTTP/1.1\r\nhost: h\r\n\r\n";
        client.send(format!("{CHUNKED}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n{next}")).await;
        assert_eq!(client.response().await, (200, "hello world".to_owned()));
        assert_eq!(client.response().await, (200, String::new()));
        client.is_served().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nothing_behind_a_broken_chunk_is_a_request() {
    locally(async {
        for broken in ["z\r\n", "5\r\nhelloX\r\n", "-1\r\n", "ffffffffffffffffff\r\n"] {
            let mut client = Client::connect().await;
            client.send(format!("{CHUNKED}{broken}0\r\n\r\nGET /hidden HTTP/1.1\r\nhost: h\r\n\r\n")).await;
            let (rest, after) = client.rest().await;
            assert!(rest.starts_with("HTTP/1.1 400 ") && !rest.contains("200 OK"), "{rest}");
            took(after, 0);
            assert_eq!(client.seen.paths(), ["/echo"], "{broken:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn two_lengths_and_lengths_beside_chunks_are_refused() {
    locally(async {
        for lines in [
            "content-length: 5\r\ncontent-length: 6",
            "content-length: 5\r\ntransfer-encoding: chunked",
            "transfer-encoding: chunked, identity",
            "content-length: +5",
            "content-length: 5, 5",
        ] {
            let mut client = Client::connect().await;
            client.send(format!("POST /echo HTTP/1.1\r\nhost: h\r\n{lines}\r\n\r\nhello")).await;
            client.send("GET /hidden HTTP/1.1\r\nhost: h\r\n\r\n").await;
            let (rest, _) = client.rest().await;
            assert!(rest.starts_with("HTTP/1.1 400 ") && !rest.contains("200 OK"), "{rest}");
            assert_eq!(client.seen.paths(), Vec::<String>::new(), "{lines}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_new_protocol_is_not_begun_and_ends_the_connection() {
    locally(async {
        for head in [
            "GET /unread HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            "POST /unread HTTP/1.1\r\nhost: h\r\nupgrade: WebSocket\r\ncontent-length: 3\r\n\r\n",
            "CONNECT /unread HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n",
        ] {
            let mut client = Client::connect().await;
            client.send(head).await;
            client.send("GET /hidden HTTP/1.1\r\nhost: h\r\n\r\n").await;
            let (rest, after) = client.rest().await;
            assert!(rest.starts_with("HTTP/1.1 "), "{rest}");
            assert_eq!(rest.matches("HTTP/1.1").count(), 1, "{rest}");
            took(after, 1);
            assert!(!client.seen.paths().contains(&"/hidden".to_owned()), "{head}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_reads_passes_by_within_ten_seconds_or_the_connection_ends() {
    locally(async {
        let unread = CHUNKED.replace("/echo", "/unread");
        let mut client = Client::connect().await;
        client.send(format!("{unread}5\r\nhel")).await;
        assert_eq!(client.response().await, (200, "unread".to_owned()));
        tokio::time::sleep(Duration::from_secs(9)).await;
        client.send("lo\r\n0\r\n\r\n").await;
        client.is_served().await;

        client.send(format!("{unread}5\r\nhel")).await;
        assert_eq!(client.response().await, (200, "unread".to_owned()));
        let (rest, after) = client.rest().await;
        assert_eq!(rest, "");
        took(after, 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn little_is_taken_of_a_body_that_nobody_reads_yet() {
    locally(async {
        let mut client = Client::with_room(1 << 10).await;
        client.send("POST /slow HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\n").await;
        let mut sent = 0;
        while tokio::time::timeout(Duration::from_secs(1), client.stream.write_all(&[b'x'; 1 << 10]))
            .await
            .is_ok()
        {
            sent += 1;
        }
        // 16 KiB, and what fits into the buffers of the two sides.
        assert!((16..24).contains(&sent), "{sent} KiB");
        assert_eq!(client.response().await, (200, "slow".to_owned()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn bodies_of_unknown_senders_share_a_budget_and_get_503_beyond_it() {
    locally(async {
        let budget = Arc::new(Budget::of(100 << 10));
        let body = "x".repeat(60 << 10);
        let request =
            format!("POST /receive HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let places = Places::new(100, 100, Vec::new());
        let mut first = Client::within(places.clone(), budget.clone(), 1 << 20).await;
        let mut second = Client::within(places.clone(), budget.clone(), 1 << 20).await;
        first.send(&request).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        second.send(&request).await;
        let (status, refusal) = second.response().await;
        assert_eq!(status, 503, "{refusal}");
        assert_eq!(first.response().await, (200, body.clone()));
        let mut third = Client::within(places, budget, 1 << 20).await;
        for _ in 0..3 {
            third.send(&request).await;
            assert_eq!(third.response().await, (200, body.clone()));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_is_answered_after_ten_seconds() {
    locally(async {
        for request in [
            "POST /receive HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\n",
            "POST /receive HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nhello",
            "POST /receive HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhello",
        ] {
            let mut client = Client::connect().await;
            client.send(request).await;
            let since = tokio::time::Instant::now();
            assert_eq!(client.response().await.0, 400);
            took(since.elapsed(), 10);
            let (rest, after) = client.rest().await;
            assert_eq!(rest, "");
            assert!(after <= Duration::from_secs(11), "{after:?}");
        }
    })
    .await;
}
