//! A signer, an issuer's server on the loopback, and a verifier in front of it.

mod fetching;
mod forms;
mod rotation;
mod speed;
mod times;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use octocrab::jsonwebtoken::{Algorithm as Signing, EncodingKey, crypto, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{Refusal, Verified, Verifier};
use crate::clock::Clock;
use crate::domain::issuer::{Algorithm, Issuer, Issuers, KeySource};

const AUDIENCE: &str = "https://arm.example.com";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/jwks";

/// A key with the name under which the issuer publishes it.
struct Signer {
    kid: &'static str,
    algorithm: Signing,
    pair: KeyPair,
}

impl Signer {
    fn rsa(kid: &'static str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        Self { kid, algorithm: Signing::RS256, pair }
    }

    fn elliptic(kid: &'static str, algorithm: Signing) -> Self {
        let curve =
            if algorithm == Signing::ES256 { &PKCS_ECDSA_P256_SHA256 } else { &PKCS_ECDSA_P384_SHA384 };
        Self { kid, algorithm, pair: KeyPair::generate_for(curve).unwrap() }
    }

    /// The usual key; made once, since that takes long.
    fn first() -> &'static Self {
        static SIGNER: OnceLock<Signer> = OnceLock::new();
        SIGNER.get_or_init(|| Self::rsa("first"))
    }

    fn second() -> &'static Self {
        static SIGNER: OnceLock<Signer> = OnceLock::new();
        SIGNER.get_or_init(|| Self::rsa("second"))
    }

    fn private(&self) -> EncodingKey {
        let pem = self.pair.serialize_pem();
        if matches!(self.algorithm, Signing::ES256 | Signing::ES384) {
            EncodingKey::from_ec_pem(pem.as_bytes()).unwrap()
        } else {
            EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
        }
    }

    fn header(&self) -> Value {
        json!({ "alg": self.algorithm, "kid": self.kid, "typ": "JWT" })
    }

    /// The public key as the issuer publishes it.
    fn jwk(&self) -> Value {
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&self.private(), self.algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        signed(header, &claims.to_string(), &self.private(), self.algorithm)
    }
}

fn signed(header: &Value, payload: &str, key: &EncodingKey, algorithm: Signing) -> String {
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encoded(&header.to_string()), encoded(payload));
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

fn key_set(signers: &[&Signer]) -> String {
    json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() }).to_string()
}

/// What the issuer's server does when a path is asked for.
#[derive(Clone)]
enum Response {
    Json(String),
    /// JSON that is compressed.
    Packed(Vec<u8>),
    /// A status line, and headers.
    Head(&'static str),
    /// Nothing, and the connection stays open.
    Silence,
}

/// An issuer's server, which counts what it is asked.
#[derive(Clone)]
struct Server {
    url: String,
    responses: Arc<Mutex<HashMap<&'static str, Response>>>,
    /// The heads of all requests.
    requests: Arc<watch::Sender<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(None).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let server = Self { url, responses: Arc::default(), requests: Arc::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (serving, tls) = (serving.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serving.serve(stream).await,
                        Some(tls) => {
                            // A client that doesn't trust the certificate hangs up.
                            if let Ok(stream) = tls.accept(stream).await {
                                serving.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let response = self.responses.lock().unwrap().get(path.as_str()).cloned();
        self.requests.send_modify(|requests| requests.push(head));
        let response = match response {
            Some(Response::Json(body)) => whole("200 OK", body.as_bytes()),
            Some(Response::Packed(body)) => whole("200 OK\r\ncontent-encoding: gzip", &body),
            Some(Response::Head(head)) => whole(head, b""),
            Some(Response::Silence) => return std::future::pending().await,
            None => whole("404 Not Found", b""),
        };
        // Whoever asked may have heard enough before the end.
        let _ = stream.write_all(&response).await;
        let _ = stream.shutdown().await;
    }

    fn set(&self, path: &'static str, response: Response) {
        self.responses.lock().unwrap().insert(path, response);
    }

    /// From now on these are the issuer's keys.
    fn publish(&self, signers: &[&Signer]) {
        self.set(JWKS, Response::Json(key_set(signers)));
    }

    fn fail(&self) {
        self.set(JWKS, Response::Head("503 Service Unavailable"));
    }

    /// How often a path was asked for.
    fn count(&self, path: &str) -> usize {
        let line = format!("GET {path} ");
        self.requests.borrow().iter().filter(|head| head.starts_with(&line)).count()
    }

    /// Waits until there were so many requests.
    async fn until(&self, count: usize) {
        self.requests.subscribe().wait_for(|requests| requests.len() >= count).await.unwrap();
    }
}

fn whole(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn issuer(url: &str) -> Issuer {
    Issuer {
        name: "example".to_owned(),
        url: url.to_owned(),
        is_actions: false,
        audience: AUDIENCE.to_owned(),
        algorithms: vec![Algorithm::Rs256],
        max_lifetime: Duration::from_hours(1),
        single_use: false,
        keys: KeySource::Discovery,
        ca_file: None,
        teams: Vec::new(),
        subjects: Vec::new(),
    }
}

/// A verifier of one issuer, whose keys are those of [`Signer::first`].
struct Scene {
    clock: Clock,
    server: Server,
    verifier: Arc<Verifier>,
}

impl Scene {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Issuer)) -> Self {
        Self::at(Server::start().await, change)
    }

    fn at(server: Server, change: impl FnOnce(&mut Issuer)) -> Self {
        let metadata = json!({ "issuer": server.url, "jwks_uri": format!("{}{JWKS}", server.url) });
        server.set(DISCOVERY, Response::Json(metadata.to_string()));
        server.publish(&[Signer::first()]);
        let mut issuer = issuer(&server.url);
        change(&mut issuer);
        let clock = Clock::manual();
        let verifier = Arc::new(Verifier::new(Issuers::new(vec![issuer]), clock.clone()).unwrap());
        Self { clock, server, verifier }
    }

    /// What a good token says.
    fn claims(&self) -> Value {
        let now = self.clock.unix_seconds();
        json!({ "iss": self.server.url, "sub": "somebody", "aud": AUDIENCE, "iat": now, "exp": now + 300, "jti": "1" })
    }

    /// A good token by this key.
    fn token(&self, signer: &Signer) -> String {
        signer.sign(&signer.header(), &self.claims())
    }

    async fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        self.verifier.verify(token).await
    }

    async fn is_good(&self, signer: &Signer) -> bool {
        self.verify(&self.token(signer)).await.is_ok()
    }

    /// Why a token is refused that says these things besides, or instead; `null` leaves one out.
    async fn refusal(&self, changes: Value) -> Refusal {
        self.verify(&self.changed(changes)).await.unwrap_err()
    }

    fn changed(&self, changes: Value) -> String {
        let (mut claims, Value::Object(changes)) = (self.claims(), changes) else { panic!() };
        for (name, value) in changes {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(&name);
            } else {
                claims[name] = value;
            }
        }
        Signer::first().sign(&Signer::first().header(), &claims)
    }
}

/// Whether a refusal is of that kind, and says this.
fn says(refusal: &Refusal, what: &str) -> bool {
    matches!(refusal, Refusal::Invalid(reason) if reason.contains(what))
}
