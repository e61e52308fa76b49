//! Signatures of which we know whether they are good, to ask the host about before it is believed.
//!
//! Made once with OpenSSL; nobody kept the private keys.

use crate::{algorithm::Algorithm, signature::HostVerify};
use base64::{Engine, engine::general_purpose::STANDARD};

/// What the host may be asked about.
pub(crate) const ASKED: [Algorithm; 5] =
    [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Es256, Algorithm::Es384];

const TEXT: &[u8] = b"tollgate knows the answer";

/// Whether the host says yes to a good signature of `algorithm`, and no to the same one with a bit changed, over
/// another text, of another hash, and to none. "I cannot say" is neither.
pub(crate) fn are_right(host: HostVerify, algorithm: Algorithm) -> bool {
    let Some((key, signature)) = answer(algorithm) else { return false };
    let hash = algorithm.hash().name();
    let other_hash = if hash == "sha256" { "sha384" } else { "sha256" };
    let mut changed = signature.clone();
    if let Some(last) = changed.last_mut() {
        *last ^= 1;
    }
    host(hash, &key, &signature, TEXT) == Some(true)
        && host(hash, &key, &changed, TEXT) == Some(false)
        && host(hash, &key, &signature, b"tollgate knew the answer") == Some(false)
        && host(other_hash, &key, &signature, TEXT) == Some(false)
        && host(hash, &key, &[], TEXT) == Some(false)
}

/// The key as SPKI, the signature as the host wants it.
fn answer(algorithm: Algorithm) -> Option<(Vec<u8>, Vec<u8>)> {
    let (key, signature) = match algorithm {
        Algorithm::Rs256 => (RSA, RS256),
        Algorithm::Rs384 => (RSA, RS384),
        Algorithm::Rs512 => (RSA, RS512),
        Algorithm::Es256 => (P256, ES256),
        Algorithm::Es384 => (P384, ES384),
        _ => return None,
    };
    Some((STANDARD.decode(key).ok()?, STANDARD.decode(signature).ok()?))
}

const RSA: &str = "\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuNGnkFx/PbOvnEySSjcleq69esc25tOe8F9XsZmDDRuJnT1OzLxDF+/Qd4xI954aSR\
    pU/V7lyNg9oX1RAWImW7WeHf+5gMMoXZsvFLaJh0TAAr5qYqKctCCbbQOhuZz7Er5u6INInsDW0gcHLXBYfG4uiXXAEgFGFEblXpnmfc218ouH\
    YgDFSzt497gWGmBfks95DiYERWrLToSScFN6NpOGrF8F2bnU5uoWxGOUTJBmNrw0wvHYm/ZKgmczviRi2dcU6QMWOSnIlpgWbg6r+pCZGXbw8e\
    gKrVtrwqLk6UHz1KKzwOXa9zWXVw94juy8QSVeixMuU+dM6aINy07LLQIDAQAB";
const P256: &str = "\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEj/WTFMMsvDu3NLgrYH2x231PrIhG5fkCRakImHZkCQe96nRoE//nhUyYtB8vUmmi3dhLwUl8TM\
    DYK+ok4cZbpQ==";
const P384: &str = "\
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEPUly1EnYNZpFjgfcf+Rj+KaWEeXjUicHIJmSQOy7CTqZsm4Pvhdn/chlbVYZgcOVQRdjcxTmAybOyl\
    YRIOYDHDQz/xNqZwqF2GMNI85oLE792PlNWvhHCmHFhDQWh4Y1";
const RS256: &str = "\
    OttgiZYW2yT9DUWMuPQCo7d/j+9ZlfJKn65OZDt8iHin8SvNWdsKFfnm+jipasbHQGdloCEdJHceGv+mBqfvKl1oyLNRJ7G1oL3PzYdpGLJCdb\
    TJVQO94xDLBrq7CfosGzVoRxCdg0QldUYNBETnpNeJckUEBM3TLNzzuAg85i/2ZhAGkYqKVbSCsbrhWItfdkSQuQi7DIu7A713S6pWxJidVv9W\
    HSpalABU5i7/1RlQqLZndQrSx8bNH+rHXce3Sn82gsPzQ+n01NAk4CJq9rCQpDURE7HQgrA4zaFufe07A2UYy/0XQi5etgFNehI59NCVJrSt51\
    fWDuS8c6CdnQ==";
const RS384: &str = "\
    uHdc46O1V3lq37mHwS+pp2SM+rvrGXZu1r9E8n9Ny5sCKVG6AR2nfgL9Natx+1j6Lpfw4FQ/TEyytXiCH24fUAdOqql02xaqawR9M6MDDnFX8Z\
    thPEy3ohM2YeRkr6H2Prt3KskAlyMP+SBpTr3p6VvdqJyFdF7vbaD2vzDZb3Dcdx7cTrN58/KNjsfP9IgmzzSGnQfFA1Te1D1uqMwR5QEZ+lFt\
    uIWve21O106r97BVEOgKVpsKJoDrnPM2suLFy3oDlc7CgZonTMpqKHJYaJS3IWFwDycqZPwrWE9MKp9QcGVVoZ1mJHzHMsCGQZ9vpQMlyAy3zu\
    6BUWGxLmUrnA==";
const RS512: &str = "\
    sz+RzLnRMLVrz9Ue/FFTbpSTDMrw/gjj2LzKR/+oMweI9MeV0Q+21cpvBo71yqOE/J8jh4UWnCLBRMypoL+XQcYuBt04ghxq+4SRK40TZxRl+7\
    3trNXJVUBrkMgIRYSgjuNt826kfGGyjHYIAA3nKMcFbbrYzJTTglRHz6dPkzCs6ZL0Z0djos3u3q+TFq25D4tF7yqq3+VpcAPa9Zu6ICWxePu6\
    37IqgRD9pKyLxI/E4EDQNJ3DOfWE2o44308tpYR/QnIX4qrBLQPEg/c+eTwiWNt2n9dknF3Cn5qlqhxTo080+p+uffyFK8D6Bi25fp5UNgowQ8\
    O7YV3WYCBfRA==";
const ES256: &str = "\
    MEUCIQC7KtRRvBoo0MnJzPDO8B9WOBJAaa4/r0X9FUrHMArMCwIgdL6MnPojTuerfeA38qon01OrDzTGq6J1Wcb9LEYDBt8=";
const ES384: &str = "\
    MGQCMBnPZGSkEpxqzRKHwr8LPNGCgSwu0plAr2jKon1yjLgAhXC0Bwrte2cjjq4DjOtTawIwDs0nDp3iJ3eycq1Oxhy2nKBG+gcjlZ9190EJuN\
    9/j1TVKdtEZTnYIBfjQyxBj0eF";
