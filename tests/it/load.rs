//! Load: tasks that keep asking, over kept and over new connections, until they are told to stop or something
//! goes wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::binary::within;

/// What the tasks ask for.
const OPERATIONS: [(&str, &str); 3] =
    [("GET", "status"), ("POST", "token-register?team=payments"), ("GET", "group-list?team=payments")];
/// Tasks of each kind: those that keep their connection, and those that make a new one each time.
const TASKS: usize = 3;
/// Answers after which what was changed was surely met by every kind of request.
const A_WHILE: u64 = 60;

/// Settings under which nobody is limited or logs too much.
pub fn unlimited() -> Value {
    json!({ "server": { "rateLimit": 1_000_000 }, "logging": { "level": "info" } })
}

/// Requests that go on.
pub struct Load {
    told_to_stop: Arc<AtomicBool>,
    answered: Arc<watch::Sender<u64>>,
    tasks: Vec<JoinHandle<Tally>>,
}

/// What came of them.
#[derive(Debug, Default)]
pub struct Tally {
    /// The ids of the requests that were answered completely.
    pub answered: BTreeSet<String>,
    /// Answers after which the service ended the connection.
    pub last_on_their_connection: usize,
    /// Answers that were no success.
    pub refused: Vec<String>,
    /// No connection could be made, so nothing was asked.
    pub not_asked: Vec<String>,
    /// Asked, or perhaps only about to, and the connection ended without an answer.
    pub unanswered: Vec<String>,
}

impl Load {
    /// Starts asking the service on this port, trusting these certificates.
    pub fn on(port: u16, certificates: &[&str], token: &str) -> Self {
        let told_to_stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(watch::Sender::new(0));
        let task = |number: usize| {
            let asking = Asking {
                client: client(certificates, number.is_multiple_of(2)),
                address: format!("https://localhost:{port}/api/v1/"),
                token: token.to_owned(),
                first: number,
                told_to_stop: told_to_stop.clone(),
                answered: answered.clone(),
            };
            tokio::spawn(asking.go_on())
        };
        let tasks = (0..2 * TASKS).map(task).collect();
        Self { told_to_stop, answered, tasks }
    }

    /// Waits until a good many more requests were answered.
    pub async fn goes_on(&self) {
        let mut answered = self.answered.subscribe();
        let until = *answered.borrow() + A_WHILE;
        within("more answers", answered.wait_for(|count| *count >= until)).await.unwrap();
    }

    /// Stops asking, and says what came of it.
    pub async fn end(self) -> Tally {
        self.told_to_stop.store(true, Ordering::SeqCst);
        let mut all = Tally::default();
        for task in self.tasks {
            all.add(within("the end of the load", task).await.unwrap());
        }
        all
    }
}

/// One task's.
struct Asking {
    client: reqwest::Client,
    address: String,
    token: String,
    first: usize,
    told_to_stop: Arc<AtomicBool>,
    answered: Arc<watch::Sender<u64>>,
}

impl Asking {
    /// Asks for one thing after the other.
    async fn go_on(self) -> Tally {
        let mut tally = Tally::default();
        for (method, what) in OPERATIONS.iter().cycle().skip(self.first) {
            if self.told_to_stop.load(Ordering::SeqCst) || !tally.is_good() {
                break;
            }
            match self.ask(method, what).await {
                Ok(answer) => tally.count(answer),
                Err(error) if error.is_connect() => tally.not_asked.push(format!("{what}: {error:?}")),
                Err(error) => tally.unanswered.push(format!("{what}: {error:?}")),
            }
            self.answered.send_modify(|count| *count += 1);
        }
        tally
    }

    async fn ask(&self, method: &str, what: &str) -> reqwest::Result<Answer> {
        let request = self.client.request(method.parse().unwrap(), format!("{}{what}", self.address));
        let answer = request.header("authorization", &self.token).send().await?;
        let header =
            |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        Ok(Answer {
            status: answer.status().as_u16(),
            id: header("x-request-id"),
            is_last: header("connection") == "close",
            text: answer.text().await?,
        })
    }
}

struct Answer {
    status: u16,
    id: String,
    is_last: bool,
    text: String,
}

impl Tally {
    fn is_good(&self) -> bool {
        self.refused.is_empty() && self.not_asked.is_empty() && self.unanswered.is_empty()
    }

    fn count(&mut self, answer: Answer) {
        // Cut short, it would not parse.
        if answer.status != 200 || serde_json::from_str::<Value>(&answer.text).is_err() {
            self.refused.push(format!("{}: {}", answer.status, answer.text));
        }
        self.last_on_their_connection += usize::from(answer.is_last);
        assert!(self.answered.insert(answer.id), "an id of a request came twice");
    }

    fn add(&mut self, other: Self) {
        self.answered.extend(other.answered);
        self.last_on_their_connection += other.last_on_their_connection;
        self.refused.extend(other.refused);
        self.not_asked.extend(other.not_asked);
        self.unanswered.extend(other.unanswered);
    }

    /// Asserts that every single request was answered as it should be.
    #[track_caller]
    pub fn is_flawless(&self) {
        assert!(self.is_good() && !self.answered.is_empty(), "{self:#?}");
    }
}

fn client(certificates: &[&str], keeps_its_connection: bool) -> reqwest::Client {
    let roots = certificates.iter().map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).unwrap());
    reqwest::Client::builder()
        .tls_certs_only(roots)
        .no_proxy()
        .pool_max_idle_per_host(usize::from(keeps_its_connection))
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}
