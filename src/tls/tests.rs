use std::fs;
use std::io;
use std::sync::Mutex;

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection, SupportedProtocolVersion};
use tempfile::TempDir;

use super::*;

/// A folder with the two files of a certificate.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new((certificate, key): &(String, String)) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write(certificate, key);
        files
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("tls.key")
    }

    fn write(&self, certificate: &str, key: &str) {
        fs::write(self.certificate(), certificate).unwrap();
        fs::write(self.key(), key).unwrap();
    }

    fn load(&self) -> Result<Arc<CertificateStore>, TlsError> {
        CertificateStore::load(&self.certificate(), &self.key())
    }

    fn refusal(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

/// Puts the files in force if they changed; says whether they did.
fn reload(store: &CertificateStore) -> Result<bool, TlsError> {
    let pair = store.look()?;
    if store.serves(&pair) { Ok(false) } else { store.serve(&pair).map(|()| true) }
}

fn pair() -> (String, String) {
    fake_github::self_signed(&["localhost", "127.0.0.1"]).unwrap()
}

fn pair_of(algorithm: &'static rcgen::SignatureAlgorithm) -> (String, String) {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// A certificate that an own authority has signed: authority, certificate, key.
fn signed_pair() -> (String, String, String) {
    let issuer_key = rcgen::KeyPair::generate().unwrap();
    let mut issuer_params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    issuer_params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = issuer_params.self_signed(&issuer_key).unwrap();
    let issuer = rcgen::Issuer::new(issuer_params, issuer_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (authority.pem(), params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
}

/// Shakes hands in memory; gives the client's side when both are content.
fn handshake(
    store: &Arc<CertificateStore>,
    root: &str,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&[u8]],
) -> Result<ClientConnection, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(store.provider.clone())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap())?;
    let mut server = ServerConnection::new(Arc::new(store.server_config().unwrap()))?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut to_server = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut to_server).unwrap();
        }
        let mut bytes = to_server.as_slice();
        while !bytes.is_empty() {
            server.read_tls(&mut bytes).unwrap();
            server.process_new_packets()?;
        }
        let mut to_client = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut to_client).unwrap();
        }
        let mut bytes = to_client.as_slice();
        while !bytes.is_empty() {
            client.read_tls(&mut bytes).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(client)
}

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

#[test]
fn new_handshakes_see_a_replaced_certificate_at_once() {
    let (first, second) = (pair(), pair());
    let files = Files::new(&first);
    let store = files.load().unwrap();
    assert!(handshake(&store, &first.0, BOTH, &[]).is_ok());
    assert!(!reload(&store).unwrap(), "nothing has changed");

    files.write(&second.0, &second.1);
    assert!(reload(&store).unwrap());
    assert!(handshake(&store, &second.0, BOTH, &[]).is_ok());
    assert!(handshake(&store, &first.0, BOTH, &[]).is_err());
    assert!(!reload(&store).unwrap());
}

#[test]
fn a_half_written_pair_is_refused_and_the_old_one_stays() {
    let (first, second) = (pair(), pair());
    let files = Files::new(&first);
    let store = files.load().unwrap();
    for (certificate, key, reason) in [
        (second.0.as_str(), first.1.as_str(), "does not belong to the certificate"),
        (first.0.as_str(), second.1.as_str(), "does not belong to the certificate"),
        (&second.0[..200], second.1.as_str(), "damaged or cut off"),
        (second.0.as_str(), &second.1[..80], "damaged or cut off"),
        ("", second.1.as_str(), "it is empty"),
        (second.0.as_str(), "\n", "it is empty"),
        ("garbage", second.1.as_str(), "no certificate inside"),
        (second.0.as_str(), "garbage", "no private key inside"),
    ] {
        files.write(certificate, key);
        let message = reload(&store).unwrap_err().to_string();
        assert!(message.contains(reason), "{reason}: {message}");
        assert!(handshake(&store, &first.0, BOTH, &[]).is_ok(), "{reason}");
    }
    files.write(&second.0, &second.1);
    assert!(reload(&store).unwrap(), "once both are there, it is taken");
}

#[test]
fn a_swapped_symbolic_link_is_noticed() {
    let (first, second) = (Files::new(&pair()), Files::new(&pair()));
    let mount = tempfile::tempdir().unwrap();
    let link = mount.path().join("..data");
    let point_to = |files: &Files| {
        let new = mount.path().join("..new");
        std::os::unix::fs::symlink(files.folder.path(), &new).unwrap();
        fs::rename(new, &link).unwrap();
    };
    point_to(&first);
    let store = CertificateStore::load(&link.join("tls.crt"), &link.join("tls.key")).unwrap();
    point_to(&second);
    assert!(reload(&store).unwrap());
}

#[test]
fn tls_1_2_and_1_3_are_spoken_and_http_1_1_is_chosen() {
    let pair = pair();
    let store = Files::new(&pair).load().unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = handshake(&store, &pair.0, &[version], &[b"h2", b"http/1.1"]).unwrap();
        assert_eq!(client.protocol_version(), Some(version.version));
        assert_eq!(client.alpn_protocol(), Some(b"http/1.1".as_slice()));
    }
    assert!(handshake(&store, &pair.0, BOTH, &[b"h2"]).is_err());
}

#[test]
fn tls_1_1_is_refused() {
    let store = Files::new(&pair()).load().unwrap();
    let mut server = ServerConnection::new(Arc::new(store.server_config().unwrap())).unwrap();
    // A ClientHello that offers TLS 1.1 at most, with one cipher suite that TLS 1.2 has as well.
    let mut body = vec![3, 2];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    let mut hello = vec![22, 3, 1, 0, u8::try_from(body.len() + 4).unwrap(), 1, 0, 0];
    hello.push(u8::try_from(body.len()).unwrap());
    hello.extend(body);
    server.read_tls(&mut hello.as_slice()).unwrap();
    let error = server.process_new_packets().unwrap_err();
    assert!(matches!(error, rustls::Error::PeerIncompatible(_)), "{error:?}");
}

#[test]
fn rsa_ecdsa_and_ed25519_keys_are_served() {
    for algorithm in [
        &rcgen::PKCS_RSA_SHA256,
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ED25519,
    ] {
        let pair = pair_of(algorithm);
        let store = Files::new(&pair).load().unwrap();
        assert!(handshake(&store, &pair.0, BOTH, &[]).is_ok(), "{algorithm:?}");
    }
}

#[test]
fn the_chain_is_served_leaf_first_and_another_order_is_explained() {
    let (authority, certificate, key) = signed_pair();
    let files = Files::new(&(format!("{certificate}{authority}"), key.clone()));
    let store = files.load().unwrap();
    let client = handshake(&store, &authority, BOTH, &[]).unwrap();
    let seen: Vec<_> = client.peer_certificates().unwrap().iter().map(|one| one.to_vec()).collect();
    let expected: Vec<_> = [&certificate, &authority]
        .map(|text| CertificateDer::from_pem_slice(text.as_bytes()).unwrap().to_vec())
        .into();
    assert_eq!(seen, expected);

    files.write(&format!("{authority}{certificate}"), &key);
    let message = files.refusal();
    assert!(message.contains("tls.crt: the server's own certificate must come first"), "{message}");
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_to_do() {
    let (certificate, key) = pair();
    let files = Files::new(&(certificate.clone(), key.clone()));
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for (certificate, key, reason) in [
        (certificate.as_str(), encrypted.as_str(), "tls.key: the private key is encrypted; decrypt it first"),
        (certificate.as_str(), certificate.as_str(), "tls.key: there is no private key inside"),
        (key.as_str(), key.as_str(), "tls.crt: there is no certificate inside"),
    ] {
        files.write(certificate, key);
        let message = files.refusal();
        assert!(message.contains(reason), "{reason}: {message}");
    }
    let missing =
        CertificateStore::load(&files.folder.path().join("none"), &files.key()).unwrap_err().to_string();
    assert!(missing.contains("none: No such file"), "{missing}");
    let folder = CertificateStore::load(files.folder.path(), &files.key()).unwrap_err().to_string();
    assert!(folder.contains("it is not a file"), "{folder}");
}

#[test]
fn no_message_repeats_a_part_of_the_key() {
    let (certificate, key) = pair();
    let secret: String = key.lines().nth(1).unwrap().chars().take(20).collect();
    for damaged in [
        key.replace("-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY----"),
        key.replace("-----END", "-----EMD"),
        key.replacen(&secret, &format!("{secret}!"), 1),
    ] {
        let files = Files::new(&(certificate.clone(), damaged));
        let error = files.load().unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&secret), "{error}");
    }
}

#[test]
fn the_expiry_is_known_and_a_certificate_replaced_by_an_expired_one_is_served_with_a_warning() {
    let store = Files::new(&pair()).load().unwrap();
    let days = (store.not_after() - Utc::now()).num_days();
    assert!((363..=365).contains(&days), "{days}");

    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 2);
    let files = Files::new(&pair());
    let store = files.load().unwrap();
    files.write(&params.self_signed(&key).unwrap().pem(), &key.serialize_pem());
    let log = Log::default();
    let subscriber = crate::telemetry::subscriber_for(
        log.clone(),
        crate::config::LogLevel::Info,
        crate::config::LogFormat::Text,
    );
    let new = store.look().unwrap();
    tracing::subscriber::with_default(subscriber, || store.serve(&new).unwrap());
    assert_eq!(store.not_after().to_rfc3339(), "2020-01-02T00:00:00+00:00");
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("warn") && text.contains("the TLS certificate has expired"), "{text}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same text in the encodings and with the line breaks that tools write.
fn dialects(text: &str) -> Vec<Vec<u8>> {
    let wide = |unit: fn(u16) -> [u8; 2]| format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect();
    let forms = [
        format!("\u{feff}{text}"),
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        text.trim_end().to_owned(),
        text.replace('\n', "\n  "),
        text.replace('\n', "\\n"),
        format!("Bag Attributes\n    friendlyName: x\n{text}"),
    ];
    forms
        .map(String::into_bytes)
        .into_iter()
        .chain([wide(u16::to_le_bytes), wide(u16::to_be_bytes)])
        .collect()
}

#[test]
fn both_files_are_read_with_marks_line_breaks_and_text_of_any_kind() {
    let pair = pair();
    let files = Files::new(&pair);
    for (certificate, key) in dialects(&pair.0).into_iter().zip(dialects(&pair.1)) {
        fs::write(files.certificate(), &certificate).unwrap();
        fs::write(files.key(), &key).unwrap();
        let store = files.load().unwrap_or_else(|error| panic!("{error}: {certificate:?}"));
        assert!(handshake(&store, &pair.0, BOTH, &[]).is_ok());
    }
}

#[test]
fn one_file_may_hold_both_and_a_certificate_twice_is_served_once() {
    let (authority, certificate, key) = signed_pair();
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let all = format!("{parameters}{key}{certificate}{certificate}{authority}{authority}");
    let store = Files::new(&(all.clone(), all)).load().unwrap();
    let client = handshake(&store, &authority, BOTH, &[]).unwrap();
    assert_eq!(client.peer_certificates().unwrap().len(), 2);
}

#[test]
fn what_is_not_pem_is_named_with_the_command_that_helps() {
    let (certificate, key) = pair();
    let files = Files::new(&(certificate.clone(), key.clone()));
    let der = |text: &str| pem::blocks(text)[0].der().unwrap();
    let sequence = [vec![0x30, 0x82, 1, 0, 2, 1, 3], vec![7; 253]].concat();
    let request = certificate.replace("CERTIFICATE", "CERTIFICATE REQUEST");
    let openssh = key.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY");
    let unmarked: Vec<u8> = certificate.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (file, bytes, reason) in [
        ("tls.crt", der(&certificate), "it is DER; convert it to PEM first (openssl x509 -inform DER"),
        ("tls.crt", sequence.clone(), "it is PKCS #12; take the certificates out first (openssl pkcs12"),
        ("tls.crt", b"\xfe\xed\xfe\xed\0\0\0\x02".to_vec(), "it is a Java key store"),
        ("tls.crt", request.into_bytes(), "but a request for one"),
        ("tls.crt", certificate.replace("CERTIFICATE", "PKCS7").into_bytes(), "openssl pkcs7 -print_certs"),
        ("tls.crt", unmarked, "looks like UTF-16"),
        ("tls.crt", b"\xe4\xf6".to_vec(), "it is not UTF-8 text"),
        (
            "tls.crt",
            format!("{certificate}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
                .into_bytes(),
            "certificate 2 of it is damaged",
        ),
        ("tls.key", der(&key), "it is DER; convert it to PEM first (openssl pkey -inform DER"),
        ("tls.key", sequence, "it is PKCS #12; take the key out first (openssl pkcs12"),
        ("tls.key", openssh.into_bytes(), "ssh-keygen -p -m PEM"),
    ] {
        files.write(&certificate, &key);
        fs::write(files.folder.path().join(file), bytes).unwrap();
        let message = files.refusal();
        assert!(message.contains(file) && message.contains(reason), "{reason}: {message}");
    }
}
