//! The answers that Tollgate gives itself, in the one error shape that OpenAI's clients parse.

use serde::Serialize;

/// An answer that Tollgate gives itself: `{"error":{"message","type","param","code"}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `error.code`: what a program matches on.
    pub code: &'static str,
    /// `error.message`: what a person reads. Never holds a secret or a part of a prompt.
    pub message: String,
    /// `error.param`: the member of the request that is at fault, if one is.
    pub param: Option<String>,
    /// `error.details`: what a program may want to know besides; left out where there is nothing.
    pub details: Option<Box<serde_json::Value>>,
    /// Headers besides `content-type`.
    pub headers: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a serde_json::Value>,
}

impl Reply {
    /// A reply without `param` and without headers of its own.
    #[must_use]
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), param: None, details: None, headers: Vec::new() }
    }

    /// A 400 `invalid_request`: the request cannot be understood.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", message)
    }

    /// Names the member of the request that is at fault.
    #[must_use]
    pub fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds what a program may want to know besides.
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// `error.type`, which OpenAI derives from the status.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.status {
            401 => "authentication_error",
            402 => "insufficient_quota",
            403 => "permission_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// The body, as `application/json`.
    #[must_use]
    pub fn body(&self) -> String {
        let error = Body {
            message: &self.message,
            r#type: self.kind(),
            param: self.param.as_deref(),
            code: self.code,
            details: self.details.as_deref(),
        };
        // Strings and options of strings always serialise; the default can not be reached.
        serde_json::to_string(&Envelope { error }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_all_four_keys() {
        let reply = Reply::new(404, "model_not_found", "no model \"x\"").about("model");
        assert_eq!(
            reply.body(),
            r#"{"error":{"message":"no model \"x\"","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#
        );
        let detailed = Reply::new(402, "quota_exceeded", "").details(serde_json::json!({"tier": "free"}));
        assert!(detailed.body().ends_with(r#""code":"quota_exceeded","details":{"tier":"free"}}}"#));
        assert!(Reply::new(503, "killed", "").body().contains(r#""type":"server_error","param":null"#));
    }
}
