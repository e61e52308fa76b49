//! Whatever bytes come in the place of a token, they are none.

use crate::rows::form::{good, over};
use crate::support::{NOW, b64, config, gate, present, word};
use proptest::prelude::*;

const HEADER: &str = r#"{"alg":"EdDSA","kid":"ed","typ":"JWT"}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_good_token_with_any_bit_flipped_is_refused(at in any::<proptest::sample::Index>(), bit in 0u8..7) {
        let mut bytes = good().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let token = String::from_utf8(bytes).unwrap();
        let got = word(&present(&mut gate(&config(|_| ())), &token, NOW));
        prop_assert!(got != "ok" && got != "expired", "{got}");
    }

    #[test]
    fn any_bytes_as_a_credential_are_refused(bytes in any::<Vec<u8>>(), tail in ".*") {
        let mut gate = gate(&config(|_| ()));
        for token in [String::from_utf8_lossy(&bytes).into_owned(), format!("{}.{tail}", b64(HEADER)), over(&b64(&bytes), &b64(&tail))] {
            prop_assert_ne!(word(&present(&mut gate, &token, NOW)), "ok");
        }
    }
}
