//! A look at a certificate's files that finds everything wrong with them, not only the first thing.

use std::path::Path;

use super::{CertificateStore, TlsError, Validity, certificates_in, private_key_in, read_file};

/// What was found.
#[derive(Debug, Default)]
pub struct Examined {
    /// What is wrong, each with its file.
    pub problems: Vec<TlsError>,
    /// When the certificate is valid, if it could be read.
    pub validity: Option<Validity>,
}

/// Looks at a certificate and its key: what is in each file that is named, then whether both fit together.
pub fn examine(certificate_file: Option<&Path>, key_file: Option<&Path>) -> Examined {
    let chain = certificate_file.map(|file| read_file(file).and_then(|text| certificates_in(file, &text)));
    let key = key_file.map(|file| read_file(file).and_then(|text| private_key_in(file, &text)));
    let mut examined = Examined::default();
    if let Some(Ok(chain)) = &chain {
        examined.validity = chain.first().and_then(|leaf| Validity::of(leaf));
    }
    if let (Some(Ok(_)), Some(Ok(_)), Some(certificate), Some(key)) =
        (&chain, &key, certificate_file, key_file)
    {
        examined.problems.extend(CertificateStore::load(certificate, key).err());
    }
    examined.problems.extend(chain.and_then(Result::err));
    examined.problems.extend(key.and_then(Result::err));
    examined
}
