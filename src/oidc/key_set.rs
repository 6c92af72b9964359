//! The public keys of an issuer, ready for use.

use std::collections::HashMap;

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::issuer::Algorithm;

/// Keys of one name and algorithm that are tried. There is hardly ever more than one; a set must not make a check expensive.
const MAX_NAMESAKES: usize = 4;
/// Bits of an RSA key.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Keys by their name (`kid`). What can't be used isn't in it: symmetric keys, keys of other algorithms and for other uses.
pub(super) struct KeySet(HashMap<String, Vec<Key>>);

/// A key for one algorithm. It is parsed once, which costs as much as several verifications.
struct Key {
    algorithm: Algorithm,
    public: ParsedPublicKey,
}

/// A JSON Web Key Set (RFC 7517). A key that can't be read leaves the others usable.
#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// A key of the set, as far as it is looked at.
#[derive(Deserialize)]
struct Entry {
    kid: String,
    kty: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set, for the algorithms that its issuer signs with.
    ///
    /// # Errors
    /// It is no set, or holds no key for these algorithms.
    pub(super) fn parse(json: &[u8], algorithms: &[Algorithm]) -> Result<Self, &'static str> {
        let document: Document =
            serde_json::from_slice(json).map_err(|_| "expected a JSON Web Key Set ({\"keys\": […]})")?;
        let mut keys: HashMap<String, Vec<Key>> = HashMap::new();
        for entry in document.keys {
            let Ok(entry) = Entry::deserialize(entry) else { continue };
            for algorithm in algorithms {
                let Some(public) = entry.public_key(*algorithm) else { continue };
                let namesakes = keys.entry(entry.kid.clone()).or_default();
                if namesakes.iter().filter(|key| key.algorithm == *algorithm).count() < MAX_NAMESAKES {
                    namesakes.push(Key { algorithm: *algorithm, public });
                }
            }
        }
        if keys.is_empty() {
            return Err("no key in it is for signatures of the issuer's algorithms and has a kid");
        }
        Ok(Self(keys))
    }

    /// Whether there is a key of this name for the algorithm.
    pub(super) fn has(&self, kid: &str, algorithm: Algorithm) -> bool {
        self.keys(kid, algorithm).next().is_some()
    }

    /// Whether a key of this name made the signature.
    pub(super) fn verifies(&self, kid: &str, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.keys(kid, algorithm).any(|key| key.public.verify_sig(message, signature).is_ok())
    }

    fn keys(&self, kid: &str, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.0.get(kid).into_iter().flatten().filter(move |key| key.algorithm == algorithm)
    }
}

impl Entry {
    /// The key, if it may be used for this algorithm.
    fn public_key(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        let is_for_it = self.alg.as_ref().is_none_or(|alg| alg == algorithm.as_str())
            && self.usage.as_ref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !is_for_it {
            return None;
        }
        match algorithm {
            Algorithm::Rs256 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Rs384 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::Ps256 => self.rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::Ps384 => self.rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::Ps512 => self.rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Algorithm::Es256 => self.elliptic(&signature::ECDSA_P256_SHA256_FIXED, "P-256", 32),
            Algorithm::Es384 => self.elliptic(&signature::ECDSA_P384_SHA384_FIXED, "P-384", 48),
        }
    }

    fn rsa(&self, parameters: &'static RsaParameters) -> Option<ParsedPublicKey> {
        if self.kty != "RSA" {
            return None;
        }
        let (n, e) = (number(self.n.as_ref()?)?, number(self.e.as_ref()?)?);
        let bits = n.len() * 8 - usize::try_from(n.first()?.leading_zeros()).ok()?;
        if !RSA_BITS.contains(&bits) {
            return None;
        }
        RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()
    }

    /// A point of a curve whose coordinates have so many bytes.
    fn elliptic(
        &self,
        algorithm: &'static signature::EcdsaVerificationAlgorithm,
        curve: &str,
        bytes: usize,
    ) -> Option<ParsedPublicKey> {
        if self.kty != "EC" || self.crv.as_deref() != Some(curve) {
            return None;
        }
        let (x, y) = (decode(self.x.as_ref()?)?, decode(self.y.as_ref()?)?);
        // The first byte says that both coordinates follow.
        let point = [&[4], x.as_slice(), &y].concat();
        (x.len() == bytes && y.len() == bytes).then(|| ParsedPublicKey::new(algorithm, point).ok())?
    }
}

/// A number without leading zeros, which some issuers put there.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text)?;
    let first = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[first..].to_vec())
}

/// Some issuers pad, although they must not.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The examples of RFC 7517.
    const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    const X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
    const Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";

    fn rsa() -> Value {
        json!({ "kid": "k", "kty": "RSA", "n": N, "e": "AQAB" })
    }

    fn elliptic() -> Value {
        json!({ "kid": "k", "kty": "EC", "crv": "P-256", "x": X, "y": Y })
    }

    /// The algorithms that a key may be used for, with these changes.
    fn usable_for(mut key: Value, changes: Value) -> Vec<&'static str> {
        let Value::Object(changes) = changes else { panic!() };
        key.as_object_mut().unwrap().extend(changes);
        let json = json!({ "keys": [key] }).to_string();
        let Ok(set) = KeySet::parse(json.as_bytes(), Algorithm::ALL) else { return Vec::new() };
        let usable = Algorithm::ALL.iter().filter(|algorithm| set.has("k", **algorithm));
        usable.map(|algorithm| algorithm.as_str()).collect()
    }

    #[test]
    fn a_key_is_for_the_algorithms_of_its_kind_and_for_signatures() {
        let of_rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
        for neutral in [json!({}), json!({"use": "sig", "key_ops": ["verify"], "x5c": ["MIIB"], "ext": 1})] {
            assert_eq!(usable_for(rsa(), neutral.clone()), of_rsa);
            assert_eq!(usable_for(elliptic(), neutral), ["ES256"]);
        }
        assert_eq!(usable_for(rsa(), json!({"alg": "PS384"})), ["PS384"]);
        for useless in [
            json!({"alg": "RS1"}),
            json!({"alg": "HS256"}),
            json!({"alg": 7}),
            json!({"use": "enc"}),
            json!({"use": ""}),
            json!({"key_ops": []}),
            json!({"key_ops": ["encrypt"]}),
            json!({"kid": null}),
            json!({"kid": 7}),
            json!({"kty": "oct", "k": "c2VjcmV0"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": X}),
            json!({"kty": "rsa"}),
            json!({"kty": null}),
        ] {
            assert_eq!(usable_for(rsa(), useless.clone()), [""; 0], "{useless}");
        }
    }

    #[test]
    fn an_rsa_key_has_2048_to_8192_bits() {
        let of = |bits: usize| {
            // The first byte may have bits that are not set.
            let mut n = vec![0xff; bits.div_ceil(8)];
            n[0] >>= n.len() * 8 - bits;
            usable_for(rsa(), json!({ "n": URL_SAFE_NO_PAD.encode(n) })).len()
        };
        assert_eq!((of(1024), of(2047), of(2048), of(8192), of(8193)), (0, 0, 6, 6, 0));
        let padded = URL_SAFE_NO_PAD.encode([&[0, 0], decode(N).unwrap().as_slice()].concat());
        assert_eq!(usable_for(rsa(), json!({ "n": padded + "==" })).len(), 6, "leading zeros and padding");
        for bad in
            [json!({"n": ""}), json!({"n": "!"}), json!({"e": ""}), json!({"e": "AA"}), json!({"n": 7})]
        {
            assert_eq!(usable_for(rsa(), bad.clone()), [""; 0], "{bad}");
        }
    }

    #[test]
    fn a_point_is_on_its_curve() {
        let short = URL_SAFE_NO_PAD.encode(&decode(X).unwrap()[1..]);
        for bad in [
            json!({"crv": "P-384"}),
            json!({"crv": "P-521"}),
            json!({"crv": null}),
            json!({"y": X}),
            json!({"x": short}),
            json!({"x": format!("{X}AAAA")}),
            json!({"x": null}),
        ] {
            assert_eq!(usable_for(elliptic(), bad.clone()), [""; 0], "{bad}");
        }
    }

    #[test]
    fn keys_that_are_of_no_use_leave_the_others_usable() {
        let json =
            json!({ "keys": [7, null, {}, {"kid": "k"}, {"kid": "other", "kty": "oct", "k": "AA"}, rsa()] });
        let set = KeySet::parse(json.to_string().as_bytes(), &[Algorithm::Rs256]).unwrap();
        assert_eq!(set.0.keys().collect::<Vec<_>>(), ["k"]);
        assert!(
            set.has("k", Algorithm::Rs256)
                && !set.has("k", Algorithm::Rs512)
                && !set.has("K", Algorithm::Rs256)
        );
    }

    #[test]
    fn of_many_keys_of_one_name_a_few_are_tried() {
        let json = json!({ "keys": vec![rsa(); 100] });
        let set = KeySet::parse(json.to_string().as_bytes(), &[Algorithm::Rs256, Algorithm::Ps256]).unwrap();
        assert_eq!(
            (set.keys("k", Algorithm::Rs256).count(), set.keys("k", Algorithm::Ps256).count()),
            (4, 4)
        );
    }
}
