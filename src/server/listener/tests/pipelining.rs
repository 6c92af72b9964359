//! Requests that are sent without waiting for responses: each is answered, in order, however the bytes come.

use proptest::prelude::*;

use super::*;

/// A request, and the body of its response.
#[derive(Debug, Clone)]
struct Sample {
    bytes: Vec<u8>,
    answer: Vec<u8>,
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    // Made of what heads and chunks are made of, so that they are mistaken for each other if they can be.
    let parts = prop::sample::select(vec![
        "\r\n",
        "\n",
        "0\r\n\r\n",
        "5\r\n",
        "GET /echo HTTP/1.1\r\nhost: h\r\n\r\n",
        "x",
    ]);
    prop::collection::vec(parts, 0..12).prop_map(|parts| parts.concat().into_bytes())
}

fn sample() -> impl Strategy<Value = Sample> {
    let line = prop::sample::select(vec!["\r\n", "\n"]);
    let before = prop::sample::select(vec!["", "\r\n", "\n"]);
    (body(), 0..3_u8, line, before, 1..40_usize, any::<bool>()).prop_map(
        |(body, kind, line, before, chunk, with_trailer)| {
            let head = |more: &str| {
                format!("{before}POST /echo HTTP/1.1{line}host: h{line}{more}{line}").into_bytes()
            };
            match kind {
                0 => {
                    let bytes = head("");
                    Sample { bytes, answer: Vec::new() }
                }
                1 => {
                    let head = head(&format!("content-length: {}{line}", body.len()));
                    Sample { bytes: [head, body.clone()].concat(), answer: body }
                }
                _ => {
                    let mut bytes = head(&format!("transfer-encoding: chunked{line}"));
                    for chunk in body.chunks(chunk) {
                        bytes.extend(format!("{:X};a=b\r\n", chunk.len()).bytes());
                        bytes.extend(chunk);
                        bytes.extend(b"\r\n");
                    }
                    bytes.extend(if with_trailer { &b"0\r\nx: y\r\n\r\n"[..] } else { b"0\r\n\r\n" });
                    Sample { bytes, answer: body }
                }
            }
        },
    )
}

fn run(samples: &[Sample], sizes: &[usize]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let all: Vec<u8> = samples.iter().flat_map(|sample| sample.bytes.clone()).collect();
    runtime.block_on(locally(async {
        let mut client = Client::connect().await;
        let (mut rest, mut sizes) = (&all[..], sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            client.send(piece).await;
            tokio::task::yield_now().await;
            rest = more;
        }
        for sample in samples {
            let (status, body) = client.response().await;
            assert_eq!((status, body.as_bytes()), (200, &sample.answer[..]));
        }
        client.is_served().await;
        assert_eq!(client.seen.paths().len(), samples.len() + 1);
    }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_request_is_answered_in_order_however_the_bytes_come(
        samples in prop::collection::vec(sample(), 1..8),
        sizes in prop::collection::vec(prop_oneof![1..9_usize, 1..500_usize, Just(100_000)], 1..6),
    ) {
        run(&samples, &sizes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_requests_in_one_piece_are_answered_in_order() {
    locally(async {
        let mut client = Client::connect().await;
        let requests = (0..100)
            .map(|number| format!("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\n{number:03}"));
        let requests = requests.collect::<Vec<_>>().concat();
        client.send(requests).await;
        for number in 0..100 {
            assert_eq!(client.response().await, (200, format!("{number:03}")));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_the_one_before() {
    locally(async {
        let mut client = Client::connect().await;
        client.send("GET /slow HTTP/1.1\r\nhost: h\r\n\r\nGET /echo HTTP/1.1\r\nhost: h\r\n\r\n").await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(client.seen.paths(), ["/slow"]);
        assert_eq!(client.response().await, (200, "slow".to_owned()));
        assert_eq!(client.response().await, (200, String::new()));
    })
    .await;
}
