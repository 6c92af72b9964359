//! A plain HTTP client, which believes nothing about GitHub.

use fake_github::{
    AppKey, Exchange, FakeGithub, GroupId, InstallationId, Level, Options, Permission, RepoId,
    RepoVisibility, RunnerId, RunnerStatus, TeamId, TokenKind, UserId, Visibility, World,
};
use octocrab::jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// An answer, read to its end.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a readable header"))
    }

    pub(super) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// A fake with a small organisation in it, and tokens for everybody.
pub(super) struct Scene {
    pub(super) fake: FakeGithub,
    http: reqwest::Client,
    pub(super) token: String,
    pub(super) owner: String,
    pub(super) member: String,
    pub(super) mona: UserId,
    pub(super) team: TeamId,
    pub(super) repo: RepoId,
    pub(super) group: GroupId,
    pub(super) runner: RunnerId,
    pub(super) installation: InstallationId,
}

/// Organisation `acme`: owner `olga`; `mona` maintains team `platform`, which has `widgets`; group `platform` with
/// runner `one`.
pub(super) fn scene() -> Scene {
    let mut world = World::new("acme");
    let olga = world.add_owner("olga");
    let mona = world.add_member("mona");
    let team = world.add_team("Platform");
    world.add_maintainer(team, mona);
    let repo = world.add_repository("widgets", RepoVisibility::Private);
    world.grant(team, repo, Permission::Push);
    let group = world.add_group("platform", Visibility::Selected);
    world.add_repository_to_group(group, repo);
    let runner = world.add_runner(group, "one", &["self-hosted", "Linux", "gpu"], RunnerStatus::Online);
    world.grant_app_permission("administration", Level::Write);
    let (token, installation) = (world.installation_token(), world.installation_id());
    let owner = world.add_token(olga, TokenKind::Classic);
    let member = world.add_token(mona, TokenKind::Classic);
    let fake = FakeGithub::start(world, &Options::default()).expect("the fake starts");
    Scene { fake, http: http(), token, owner, member, mona, team, repo, group, runner, installation }
}

pub(super) fn http() -> reqwest::Client {
    // A second installation fails and changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let builder =
        reqwest::Client::builder().user_agent("contract-test").redirect(reqwest::redirect::Policy::none());
    builder.build().expect("a client")
}

/// A JWT of the App, made `age` seconds ago and good for `life` seconds from now.
pub(super) fn jwt(app: u64, age: i64, life: i64) -> String {
    let now = chrono::Utc::now().timestamp();
    let claims = json!({"iat": now - age, "exp": now + life, "iss": app.to_string()});
    let key = EncodingKey::from_rsa_pem(AppKey::shared().private_pem().as_bytes()).expect("a key");
    encode(&Header::new(Algorithm::RS256), &claims, &key).expect("a JWT")
}

impl Scene {
    /// Sends a request as whoever holds `token` (nobody, if it is empty); an error when there is no whole answer.
    pub(super) async fn try_call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> reqwest::Result<Reply> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.fake.url()));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Reply { status, headers, body: answer.bytes().await?.to_vec() })
    }

    pub(super) async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Reply {
        self.try_call(method, path, token, body).await.expect("an answer")
    }

    /// A GET as the App's installation.
    pub(super) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &self.token, None).await
    }

    /// Anything as the App's installation.
    pub(super) async fn send(&self, method: &str, path: &str, body: Value) -> Reply {
        self.call(method, path, &self.token, Some(body)).await
    }

    /// Anything without a body as the App's installation.
    pub(super) async fn act(&self, method: &str, path: &str) -> Reply {
        self.call(method, path, &self.token, None).await
    }

    pub(super) fn request(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.fake.url()))
    }

    /// A JWT of the App as octocrab makes it.
    pub(super) fn jwt(&self) -> String {
        jwt(self.fake.world(|world| world.app_id()), 60, 540)
    }

    /// Ends a test: everything said was in accord with GitHub's description.
    pub(super) fn assert_in_order(&self) {
        assert_nothing(&super::check(&self.fake.calls()));
    }

    /// Ends a test whose requests were wrong on purpose.
    pub(super) fn assert_answers_in_order(&self) {
        assert_nothing(&super::check_answers(&self.fake.calls()));
    }

    pub(super) fn last_call(&self) -> Exchange {
        self.fake.calls().pop().expect("a call")
    }
}

fn assert_nothing(problems: &[String]) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
