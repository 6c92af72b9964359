//! PEM as tools and people write it (with text around it, indented, or in one line), and formats that are mistaken for it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::text::is_invisible;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// The content between a BEGIN and an END line. No `Debug`: it may be a key.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    /// The label, such as `CERTIFICATE`; empty if the BEGIN line is damaged.
    pub label: &'a str,
    /// `None` if the END line is missing.
    body: Option<&'a str>,
}

impl Block<'_> {
    /// The decoded content; `None` if it is cut off or damaged.
    pub fn der(&self) -> Option<Vec<u8>> {
        let der = STANDARD.decode(self.base64()?).ok()?;
        (!der.is_empty()).then_some(der)
    }

    /// The encoded content without white space.
    pub fn base64(&self) -> Option<String> {
        Some(self.body?.chars().filter(|character| !is_invisible(*character)).collect())
    }

    /// Whether the END line is missing.
    pub fn is_cut_off(&self) -> bool {
        self.body.is_none()
    }

    /// Whether it is a private key of any kind.
    pub fn is_private_key(&self) -> bool {
        self.label.ends_with("PRIVATE KEY")
    }

    /// Whether it is a private key that requires a password.
    pub fn is_encrypted(&self) -> bool {
        self.label == "ENCRYPTED PRIVATE KEY" || self.body.is_some_and(|body| body.contains("Proc-Type:"))
    }

    /// The certificate, if it is one. OpenSSL's own form has trust settings behind the certificate.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        let mut der = self.der().filter(|_| self.is_certificate())?;
        if self.label == "TRUSTED CERTIFICATE" {
            der.truncate(length_of_first(&der)?);
        }
        Some(der)
    }

    /// Whether the label is that of a certificate.
    pub fn is_certificate(&self) -> bool {
        matches!(self.label, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE")
    }
}

/// All blocks of a text, in order.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once(BEGIN) {
        // A block doesn't reach into the next one.
        let (own, next) = behind.split_at(behind.find(BEGIN).unwrap_or(behind.len()));
        rest = next;
        blocks.push(block(own));
    }
    blocks
}

fn block(text: &str) -> Block<'_> {
    let begun = text.split_once(DASHES).filter(|(label, _)| !label.contains(['\n', '\r']));
    let Some((label, inside)) = begun else { return Block { label: "", body: None } };
    let end = format!("{DASHES}END {label}{DASHES}");
    Block { label, body: inside.split_once(&end).map(|(body, _)| body) }
}

/// The length in bytes of the first DER value.
fn length_of_first(der: &[u8]) -> Option<usize> {
    let (tag, first) = (der.first()?, *der.get(1)?);
    let (size, header) = match first {
        _ if *tag != 0x30 => return None,
        0..=0x7f => (usize::from(first), 2),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let size = der.get(2..2 + count)?.iter().fold(0, |size, byte| (size << 8) | usize::from(*byte));
            (size, 2 + count)
        }
        _ => return None,
    };
    size.checked_add(header).filter(|all| *all <= der.len())
}

/// A binary format that a file may have instead of PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// A certificate or a key without the encoding.
    Der,
    /// Certificates and their key, protected by a password.
    Pkcs12,
    /// Java's own format.
    KeyStore,
}

impl Binary {
    /// Recognises the format of these bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\xfe\xed\xfe\xed") || bytes.starts_with(b"\xce\xce\xce\xce") {
            return Some(Self::KeyStore);
        }
        let whole = length_of_first(bytes).filter(|length| *length > 64)?;
        let version_3 = bytes[..whole.min(16)].windows(3).position(|part| part == [2, 1, 3]);
        // Behind the outermost head, which takes 2 to 6 bytes, the version of PKCS #12 is always 3.
        if version_3.is_some_and(|at| at <= 6) { Some(Self::Pkcs12) } else { Some(Self::Der) }
    }

    /// How to get a certificate out of it, as a message says it.
    pub fn for_certificate(self) -> &'static str {
        match self {
            Self::Der => "it is DER; convert it to PEM first (openssl x509 -inform DER -in FILE -out PEM)",
            Self::Pkcs12 => {
                "it is PKCS #12; take the certificates out first (openssl pkcs12 -in FILE -nokeys -out PEM)"
            }
            Self::KeyStore => {
                "it is a Java key store; export the certificate as PEM first (keytool -exportcert -rfc)"
            }
        }
    }

    /// How to get a private key out of it, as a message says it.
    pub fn for_key(self) -> &'static str {
        match self {
            Self::Der => "it is DER; convert it to PEM first (openssl pkey -inform DER -in FILE -out PEM)",
            Self::Pkcs12 => {
                "it is PKCS #12; take the key out first (openssl pkcs12 -in FILE -nocerts -nodes -out PEM)"
            }
            Self::KeyStore => {
                "it is a Java key store; convert it to PKCS #12 and then to PEM first (keytool -importkeystore)"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, Option<Vec<u8>>)> {
        blocks(text).iter().map(|block| (block.label, block.der())).collect()
    }

    #[test]
    fn blocks_are_found_whatever_surrounds_them_and_however_their_lines_are_broken() {
        let one = ("CERTIFICATE", Some(b"hello".to_vec()));
        for text in [
            "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----",
            "Certificate:\n  Data: -----\n-----BEGIN CERTIFICATE-----\r\naGVs\r\nbG8=\r\n-----END CERTIFICATE-----\r\nend",
            "   -----BEGIN CERTIFICATE-----\n   aGVs\n\t bG8=\n   -----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----aGVsbG8=-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\raGVs\u{200b}bG8=\u{a0}\r-----END CERTIFICATE-----",
        ] {
            assert_eq!(found(text), std::slice::from_ref(&one), "{text}");
            let two = format!("{text}\n-----BEGIN X-----\nAA==\n-----END X-----");
            assert_eq!(found(&two), [one.clone(), ("X", Some(vec![0]))], "{text}");
        }
        assert!(found("no block").is_empty());
    }

    #[test]
    fn a_damaged_block_spoils_no_other() {
        let good = "-----BEGIN B-----\nAA==\n-----END B-----\n";
        for damaged in [
            "-----BEGIN A-----\nAA==\n",
            "-----BEGIN A-----\nAA==\n-----EMD A-----\n",
            "-----BEGIN A-----\nA!==\n-----END A-----\n",
            "-----BEGIN A-----\n-----END A-----\n",
            "-----BEGIN A---\nAA==\n-----END A-----\n",
            "-----BEGIN ",
        ] {
            let text = format!("{damaged}{good}");
            let outcomes: Vec<_> = blocks(&text).iter().map(Block::der).collect();
            assert_eq!(outcomes, [None, Some(vec![0])], "{text}");
        }
    }

    #[test]
    fn trust_settings_behind_a_certificate_are_left_out() {
        let text = "-----BEGIN TRUSTED CERTIFICATE-----\nMAIFADACBQA=\n-----END TRUSTED CERTIFICATE-----";
        assert_eq!(blocks(text)[0].certificate(), Some(vec![0x30, 2, 5, 0]));
        let text = text.replace("TRUSTED ", "");
        assert_eq!(blocks(&text)[0].certificate(), Some(vec![0x30, 2, 5, 0, 0x30, 2, 5, 0]));
        assert_eq!(blocks(&text.replace("CERTIFICATE", "KEY"))[0].certificate(), None);
    }

    #[test]
    fn a_certificate_ends_where_it_says_however_many_bytes_its_length_takes() {
        for (head, inside) in [
            (&[0x30, 0x7f][..], 0x7f),
            (&[0x30, 0x81, 0x80], 0x80),
            (&[0x30, 0x82, 1, 2], 0x102),
            (&[0x30, 0x83, 1, 0, 2], 0x1_0002),
        ] {
            let certificate = [head, &vec![7; inside]].concat();
            let encoded = STANDARD.encode([&certificate[..], b"trust"].concat());
            let text =
                format!("-----BEGIN TRUSTED CERTIFICATE-----\n{encoded}\n-----END TRUSTED CERTIFICATE-----");
            assert!(blocks(&text)[0].certificate() == Some(certificate), "{head:x?}");
        }
    }

    #[test]
    fn a_binary_format_takes_more_than_64_bytes() {
        let sequence = |inside: u8| [&[0x30, inside][..], &vec![7; usize::from(inside)]].concat();
        assert_eq!(Binary::of(&sequence(62)), None);
        assert_eq!(Binary::of(&sequence(63)), Some(Binary::Der));
    }

    #[test]
    fn what_is_not_pem_is_told_apart() {
        let sequence = |start: &[u8]| {
            let mut bytes = vec![0x30, 0x82, 1, 0];
            bytes.extend(start);
            bytes.resize(4 + 256, 7);
            bytes
        };
        assert_eq!(Binary::of(&sequence(&[2, 1, 3, 0x30])), Some(Binary::Pkcs12));
        assert_eq!(Binary::of(&sequence(&[2, 1, 0, 0x30])), Some(Binary::Der));
        assert_eq!(Binary::of(&sequence(&[0x30, 0x82])), Some(Binary::Der));
        assert_eq!(Binary::of(b"\xfe\xed\xfe\xed\0\0\0\x02"), Some(Binary::KeyStore));
        for text in ["", "0", "00", "-----BEGIN CERTIFICATE-----", "0\u{80}", "LS0tLS1CRUdJTi"] {
            assert_eq!(Binary::of(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Binary::of(&sequence(&[])[..200]), None, "cut off");
    }
}
