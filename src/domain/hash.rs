//! SHA-256 of things that are told apart by it, and how its bytes are written.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// The first bytes of a hash as a number.
pub fn number(hash: [u8; 32]) -> u64 {
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_published_one_and_written_as_usual() {
        // The example of FIPS 180-2, "abc".
        let hash = sha256(b"abc");
        assert_eq!(hexadecimal(&hash), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(number(hash), 0xba78_16bf_8f01_cfea);
    }
}
