//! The addresses of wallets: Bitcoin and those after it by their checksums, Ethereum by its form, others by their form
//! and a word that names the currency.

use super::{around::Around, base58, bech32};
use crate::{Entity, Finding, scan};

/// What Bech32 addresses of wallets begin with.
const BECH32: &[&str] = &[
    "bc1",
    "tb1",
    "ltc1",
    "addr1",
    "stake1",
    "cosmos1",
    "osmo1",
    "bnb1",
    "terra1",
    "juno1",
    "inj1",
    "sei1",
    "celestia1",
    "zil1",
    "vtc1",
    "dgb1",
    "lnbc1",
];

const CURRENCIES: &[&str] = &[
    "wallet",
    "wallets",
    "btc",
    "bitcoin",
    "eth",
    "ethereum",
    "ltc",
    "litecoin",
    "doge",
    "dogecoin",
    "sol",
    "solana",
    "xmr",
    "monero",
    "xrp",
    "ripple",
    "trx",
    "tron",
    "usdt",
    "usdc",
    "crypto",
    "ada",
    "cardano",
    "xlm",
    "stellar",
    "dot",
    "polkadot",
    "phantom",
    "zcash",
    "dash",
    "bch",
    "ton",
    "algo",
    "algorand",
    "donate",
    "donations",
    "metamask",
    "ledger",
    "payout",
    "deposit",
    "coins",
    "hodl",
    "tezos",
    "kaspa",
];

/// What says of forty hexadecimal digits that they are none.
const OTHERS: &[&str] =
    &["sha1", "hash", "commit", "checksum", "digest", "tx", "txid", "transaction", "contract", "block", "address(0)"];

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let begin = scan::run(bytes, at, |it| !scan::word(it));
        let start = begin.saturating_add(scan::escape(bytes, begin));
        let end = scan::run(bytes, start, scan::word);
        at = end;
        let word = bytes.get(start..end).unwrap_or_default();
        if !(26..=110).contains(&word.len())
            || !word.iter().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'))
        {
            continue;
        }
        if let Some(rule) = rule(bytes, start, word) {
            found.push(Finding { span: start..end, entity: Entity::CryptoWallet, rule });
        }
    }
}

/// Whether the address of a wallet may begin with `word`, though it is only letters yet.
pub(crate) fn may_begin(word: &[u8]) -> bool {
    BECH32.iter().any(|it| it.as_bytes().starts_with(&word.to_ascii_lowercase()))
}

/// By which rule the word at `start` is the address of a wallet.
fn rule(text: &[u8], start: usize, word: &[u8]) -> Option<&'static str> {
    scan::steps::take(word.len());
    let length = word.len();
    if let Some(hex) = word.strip_prefix(b"0x") {
        let same = hex.windows(2).all(|it| matches!(it, [one, two] if one == two));
        let wallet = length == 42 && hex.iter().all(u8::is_ascii_hexdigit) && !hex.starts_with(b"000000") && !same;
        return (wallet && !Around::before(text, start).ends(OTHERS)).then_some("crypto_wallet.ethereum");
    }
    if BECH32.iter().any(|it| word.get(..it.len()).is_some_and(|start| start.eq_ignore_ascii_case(it.as_bytes()))) {
        let named = || Around::before(text, start).has(CURRENCIES) && word.iter().all(u8::is_ascii_alphanumeric);
        return (bech32::is_sound(word) || named()).then_some("crypto_wallet.bech32");
    }
    let base58 = word.iter().all(|it| base58::letter(*it));
    let mixed = word.iter().any(u8::is_ascii_digit)
        && word.iter().any(u8::is_ascii_uppercase)
        && word.iter().any(u8::is_ascii_lowercase);
    if base58 && (26..=36).contains(&length) && base58::is_sound(word) {
        return Some("crypto_wallet.base58");
    }
    if !(mixed || length == 56 && word.starts_with(b"G")) {
        return None;
    }
    let form = match (word, length) {
        ([b'4' | b'8', ..], 95 | 106) if base58 => return Some("crypto_wallet.monero"),
        ([b'1' | b'3' | b'L' | b'M' | b'D' | b'X' | b'r' | b'T' | b't' | b'A', ..], 26..=36) => base58,
        ([b'G', ..], 56) => word.iter().all(|it| it.is_ascii_uppercase() || (b'2'..=b'7').contains(it)),
        ([b'E' | b'U' | b'k', b'Q' | b'f', ..], 48) => true,
        (_, 32..=44 | 47 | 48) => base58,
        _ => false,
    };
    (form && Around::before(text, start).has(CURRENCIES)).then_some("crypto_wallet.named")
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn addresses_with_a_sound_checksum_need_no_word() {
        for wallet in [
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
            "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
        ] {
            check(Entity::CryptoWallet, &format!("send it to {wallet}."), &[wallet]);
        }
    }

    #[test]
    fn addresses_without_one_need_a_word() {
        let solana = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU";
        check(Entity::CryptoWallet, &format!("my SOL wallet: {solana}"), &[solana]);
        check(Entity::CryptoWallet, &format!("the id {solana}"), &[]);
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in [
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
            "commit 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x0000000000000000000000000000000000000000",
            "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            "AbstractSingletonProxyFactoryBean2x",
        ] {
            check(Entity::CryptoWallet, text, &[]);
        }
    }
}
