use super::*;

fn postgres(text: &str) -> PostgresUrl {
    match StoreUrl::parse(text) {
        Ok(StoreUrl::Postgres(url)) => *url,
        other => panic!("{text}: {other:?}"),
    }
}

fn problem(text: &str) -> String {
    StoreUrl::parse(text).map(|url| url.to_string()).unwrap_err().to_string()
}

#[test]
fn a_store_is_in_memory_in_a_file_or_on_a_server() {
    assert_eq!(StoreUrl::parse("sqlite::memory:"), Ok(StoreUrl::Memory));
    let file = |text: &str| StoreUrl::parse(text).unwrap().file().unwrap().to_str().unwrap().to_owned();
    assert_eq!(file("sqlite:///var/lib/arm/state.db"), "/var/lib/arm/state.db");
    assert_eq!(file("SQLite:///a%20b%25.db"), "/a b%.db");
    for text in ["postgres://arm@db.example/arm", "postgresql://arm@db.example:5432/arm?sslmode=verify-full"]
    {
        let url = postgres(text);
        assert_eq!((url.user.as_str(), url.database.as_str(), url.port), ("arm", "arm", 5432));
        assert_eq!(url.host, PostgresHost::Network("db.example".to_owned()));
        assert_eq!(url.tls, TlsMode::VerifyFull, "{text}");
    }
}

#[test]
fn what_is_no_store_is_refused_with_the_kinds_that_there_are() {
    for text in
        ["", "state.db", "mysql://a@b/c", "redis://localhost", "postgres:a@b/c", "://", "sqlitex:///a"]
    {
        assert_eq!(problem(text), KINDS, "{text}");
    }
    for text in ["sqlite:state.db", "sqlite://state.db", "sqlite:///", "sqlite::memory", "sqlite:/a"] {
        assert!(problem(text).contains("three slashes"), "{text}: {}", problem(text));
    }
    assert!(problem("sqlite:///a.db?mode=rwc").contains("no parameters"));
    assert!(problem("sqlite:///a/").contains("not of a folder"));
    assert!(problem("sqlite:///a%2").contains("hexadecimal"));
    assert!(problem("sqlite:///a%ff").contains("UTF-8"));
}

#[test]
fn a_server_is_a_host_an_address_or_the_folder_of_a_socket() {
    let socket = PostgresHost::Socket(PathBuf::from("/run/postgresql"));
    for text in ["postgres://arm@/arm?host=/run/postgresql", "postgres://arm@%2Frun%2Fpostgresql/arm"] {
        let url = postgres(text);
        assert_eq!((&url.host, url.tls), (&socket, TlsMode::Prefer), "{text}");
    }
    let url = postgres("postgres://arm@[2001:db8::1]:6432/arm");
    assert_eq!((url.host, url.port), (PostgresHost::Network("2001:db8::1".to_owned()), 6432));
    for text in [
        "postgres://arm@/arm",
        "postgres://arm@a,b/arm",
        "postgres://arm@a/arm?host=/run",
        "postgres://arm@a b/arm",
        "postgres://arm@[nothing]/arm",
        "postgres://arm@a/arm?host=b",
        "postgres://arm@a/",
        "postgres://a/arm",
        "postgres://arm@a/arm/arm",
        "postgres://arm@a:0/arm",
        "postgres://arm@a:x/arm",
        "postgres://arm@a/arm?sslmode=maybe",
        "postgres://arm@a/arm?application_name=x",
        "postgres://arm@a/arm?sslrootcert=/ca.pem",
        "postgres://arm@a/arm#x",
    ] {
        assert!(problem(text).starts_with("expected "), "{text}: {}", problem(text));
    }
}

#[test]
fn only_the_own_host_is_reached_without_checking_who_it_is() {
    let modes = ["disable", "allow", "prefer", "require", "verify-ca"];
    for mode in modes {
        for host in ["db.example", "10.0.0.7", "[2001:db8::1]", "localhost.example", "128.0.0.1"] {
            let said = problem(&format!("postgres://arm:hunter2@{host}/arm?sslmode={mode}"));
            assert!(said.contains("sslmode=verify-full") && said.contains("store.caFile"), "{said}");
        }
        for host in ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "%2Frun%2Fpostgresql"] {
            let url = postgres(&format!("postgres://arm@{host}/arm?sslmode={mode}"));
            assert_eq!(url.tls.to_string(), mode, "{host}");
        }
    }
    assert_eq!(postgres("postgres://arm@localhost/arm").tls, TlsMode::Prefer);
    assert_eq!(postgres("postgres://arm@localhost/arm?sslmode=verify-full").tls, TlsMode::VerifyFull);
}

#[test]
fn a_password_is_read_and_never_shown() {
    use secrecy::ExposeSecret;

    let text = "postgres://arm:hunter%40%3A2:x@db.example/arm";
    let url = StoreUrl::parse(text).unwrap();
    let password = url.postgres().and_then(|url| url.password.clone()).unwrap();
    assert_eq!(password.expose_secret(), "hunter@:2:x");
    assert_eq!(url.to_string(), "postgres://arm:***@db.example:5432/arm?sslmode=verify-full");
    assert!(!format!("{url:?}").contains("hunter"), "{url:?}");
    // Wherever a URL with a password goes wrong.
    for text in [
        "hunter2",
        "postgres:arm:hunter2@db/arm",
        "postgres://arm:hunter2@db:port/arm",
        "postgres://arm:hunter2/x@db/arm",
        "postgres://arm:hunter2?x@db/arm",
        "postgres://arm:hunter2#x@db/arm",
        "postgres://arm:hunter2%@db/arm",
        "postgres://arm@db/arm?password=hunter2",
        "postgres://arm@db/arm?hunter2",
        "postgres://arm@db/arm?sslmode=hunter2",
        "mysql://arm:hunter2@db/arm",
    ] {
        assert!(!problem(text).contains("hunter"), "{text}: {}", problem(text));
    }
    let other = StoreUrl::parse(&text.replace("hunter", "other")).unwrap();
    assert!(url == url.clone() && url != other);
}
