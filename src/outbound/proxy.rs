//! The proxy that the environment names. The HTTP client reads the variables by itself, but passes over what it can't
//! read and then connects directly.

use reqwest::{NoProxy, Proxy, Url};

use crate::domain::text::unwrapped;

/// The first that is set decides. Calls are https, or go to a loopback address without any proxy.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The proxy for calls over https, if there is one.
///
/// # Errors
/// Says which variable can't be used; its value may hold a password.
pub(super) fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>, String> {
    let first = |names: &[&'static str]| {
        names.iter().find_map(|name| {
            let value = unwrapped(&variable(name)?).to_owned();
            (!value.is_empty()).then_some((*name, value))
        })
    };
    let Some((name, address)) = first(&VARIABLES) else { return Ok(None) };
    let wrong = || format!("{name}: expected a proxy's URL, such as http://proxy.example.com:3128");
    let address = if address.contains("://") { address } else { format!("http://{address}") };
    let url = Url::parse(&address).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong());
    }
    let exceptions = first(&EXCEPTIONS).and_then(|(_, list)| NoProxy::from_string(&list));
    Proxy::https(url).map(|proxy| Some(proxy.no_proxy(exceptions))).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variable = |name: &str| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        };
        from_environment(variable).map(|proxy| proxy.map(|proxy| format!("{proxy:?}")))
    }

    #[test]
    fn a_proxy_is_found_whatever_tools_left_around_it() {
        assert_eq!(
            of(&[("HTTP_PROXY", "http://other:1"), ("HTTPS_PROXY", ""), ("ALL_PROXY", " \n")]),
            Ok(None)
        );
        for value in ["http://proxy.example:3128", "\"http://proxy.example:3128\"", " proxy.example:3128\r\n"]
        {
            for name in VARIABLES {
                let found = of(&[(name, value)]).unwrap().unwrap();
                assert!(found.contains("proxy.example") && found.contains("3128"), "{value:?}: {found}");
            }
        }
        assert!(of(&[("HTTPS_PROXY", "https://user:pass@proxy.example")]).unwrap().is_some());
    }

    #[test]
    fn one_that_cannot_be_used_is_named_and_not_passed_over() {
        for value in [
            "http://",
            "socks5://proxy:1080",
            "http://a b",
            "http://proxy:port",
            "\u{fffd}",
            "ftp://x:s3cret@y",
        ] {
            let problem = of(&[("HTTPS_PROXY", value), ("ALL_PROXY", "http://good:1")]).unwrap_err();
            assert!(problem.starts_with("HTTPS_PROXY: expected") && !problem.contains("s3cret"), "{problem}");
        }
    }
}
