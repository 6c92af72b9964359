//! What stands in for a platform: it gives one token to whoever asks for it as the platform wants to be asked.

use std::collections::BTreeMap;

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How a platform wants to be asked.
#[derive(Clone)]
pub struct Platform {
    pub path: &'static str,
    pub header: (&'static str, &'static str),
    pub query: &'static [(&'static str, &'static str)],
    /// What it answers.
    pub answer: String,
}

impl Platform {
    /// Answers until the test ends; gives the port.
    pub async fn start(self) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                self.answer(stream).await;
            }
        });
        port
    }

    async fn answer(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        let (status, body) = match self.mistake(&String::from_utf8_lossy(&head)) {
            None => ("200 OK", self.answer.clone()),
            Some(mistake) => ("400 Bad Request", mistake),
        };
        let response =
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        stream.write_all(response.as_bytes()).await.unwrap();
    }

    /// What is wrong with a request.
    fn mistake(&self, head: &str) -> Option<String> {
        let (first, headers) = head.split_once("\r\n")?;
        let target = first.strip_prefix("GET ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
        let Some(target) = target else { return Some(first.to_owned()) };
        let url = Url::parse(&format!("http://platform{target}")).unwrap();
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let expected =
            self.query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (name, value) = self.header;
        let has_header = headers
            .lines()
            .filter_map(|line| line.split_once(": "))
            .any(|(found, its)| found.eq_ignore_ascii_case(name) && its == value);
        (url.path() != self.path || query != expected || !has_header).then(|| format!("not so: {head}"))
    }
}
