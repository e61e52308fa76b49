//! Tokens and key sets as the providers make them, from their documentation, with keys of our own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tests::Signer;
use tests::token::{Algorithm, now};

/// One provider.
pub(crate) struct Shape {
    /// The name of its example, of the provider in it and of the cluster.
    pub(crate) name: &'static str,
    /// Where its keys are: host and path.
    pub(crate) keys_at: &'static str,
    pub(crate) header: Value,
    pub(crate) claims: Value,
    /// The claim that names the user.
    pub(crate) user: &'static str,
    /// Who calls: tenant, project, user, role, tier.
    pub(crate) caller: [&'static str; 5],
    /// Changes of the claims that make another good token, and who calls then.
    pub(crate) also_good: Vec<(&'static str, Value, [&'static str; 5])>,
    /// Changes of the claims that make a token which is refused.
    pub(crate) refused: Vec<(&'static str, Value)>,
    /// What stands in each published key beside the key itself.
    jwk: Value,
    /// Keys that it publishes for other purposes.
    more_keys: Vec<Value>,
    signer: Signer,
    /// Published under the `kid` "another".
    another: Value,
}

impl Shape {
    pub(crate) fn token(&self) -> String {
        self.sign(&self.header, &self.claims)
    }

    /// A token with some claims changed; `null` takes one away.
    pub(crate) fn with(&self, change: &Value) -> String {
        self.sign(&self.header, &self.changed(change))
    }

    pub(crate) fn with_header(&self, change: &Value) -> String {
        self.sign(&merge(&self.header, change), &self.claims)
    }

    pub(crate) fn changed(&self, change: &Value) -> Value {
        merge(&self.claims, change)
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.signer.sign_text(header.to_string(), claims.to_string())
    }

    /// A good token, were it not for the `kid`, which is that of another published key.
    pub(crate) fn signed_by_another(&self) -> String {
        self.with_header(&json!({"kid": "another"}))
    }

    /// What it publishes.
    pub(crate) fn keys(&self) -> Value {
        let publish = |key: &Value, id: &Value| {
            let bare = merge(key, &json!({"alg": null, "use": null, "kid": id}));
            merge(&bare, &self.jwk)
        };
        let mut keys =
            vec![publish(&self.another, &json!("another")), publish(&self.signer.jwk(), &self.header["kid"])];
        keys.extend(self.more_keys.clone());
        json!({"keys": keys})
    }

    fn new(name: &'static str, keys_at: &'static str, algorithm: Algorithm) -> Self {
        let another = match algorithm {
            // The key of RFC 7515, A.2; to make an RSA key takes long.
            Algorithm::Rs256 => json!({"kty": "RSA", "e": "AQAB", "n": RFC_7515}),
            other => Signer::with(other).jwk(),
        };
        Self {
            name,
            keys_at,
            header: json!({"alg": algorithm.name(), "typ": "JWT"}),
            claims: json!({"iat": now(), "exp": now() + 3600}),
            user: "sub",
            caller: [""; 5],
            also_good: Vec::new(),
            refused: Vec::new(),
            jwk: json!({"alg": algorithm.name(), "use": "sig"}),
            more_keys: Vec::new(),
            signer: Signer::with(algorithm),
            another,
        }
    }

    fn header(mut self, header: &Value) -> Self {
        self.header = merge(&self.header, header);
        self
    }

    fn claims(mut self, claims: &Value) -> Self {
        self.claims = merge(&self.claims, claims);
        self
    }
}

const RFC_7515: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

/// `base` with the members of `change` put in; `null` takes one away.
fn merge(base: &Value, change: &Value) -> Value {
    let mut all = base.as_object().unwrap().clone();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            all.shift_remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    Value::Object(all)
}

/// Five parts under this header, as a JWE in compact form with a key agreed on beforehand has them.
pub(crate) fn encrypted(header: &Value) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}..{}.{}.{}", part(header.to_string().as_bytes()), part(&[7; 12]), part(&[9; 300]), part(&[5; 32]))
}

pub(crate) fn all() -> Vec<Shape> {
    vec![supabase(), clerk(), auth0(), firebase(), entra(), cognito(), keycloak()]
}

pub(crate) fn supabase() -> Shape {
    let user = "5f2c1f4e-6d0b-4a0e-9a77-3b1f0a2d9c11";
    let app = |more: Value| merge(&json!({"provider": "email", "providers": ["email"]}), &more);
    let keys = "abcdefghijklmnopqrst.supabase.co/auth/v1/.well-known/jwks.json";
    Shape {
        caller: ["acme", "proj_example", user, "authenticated", "pro"],
        also_good: vec![
            ("no tier", json!({"app_metadata": app(json!({}))}), ["acme", "proj_example", user, "authenticated", ""]),
            (
                "a tier of our own",
                json!({"app_metadata": app(json!({"tier": 2}))}),
                ["acme", "proj_example", user, "authenticated", "2"],
            ),
            (
                "what users write about themselves changes nothing",
                json!({"user_metadata": {"tier": "max", "role": "admin"}}),
                ["acme", "proj_example", user, "authenticated", "pro"],
            ),
        ],
        refused: vec![
            ("another audience", json!({"aud": "anon"})),
            ("another project of theirs", json!({"iss": "https://zyxwvutsrqponmlkjihg.supabase.co/auth/v1"})),
            ("a legacy API key", json!({"iss": "supabase", "ref": "abcdefghijklmnopqrst", "role": "service_role", "aud": null, "sub": null})),
            ("another role", json!({"role": "service_role"})),
            ("a tier that is a list", json!({"app_metadata": app(json!({"tier": ["pro"]}))})),
            ("no metadata but something in its place", json!({"app_metadata": "pro"})),
        ],
        jwk: json!({"alg": "ES256", "use": "sig", "key_ops": ["verify"], "ext": true}),
        ..Shape::new("supabase", keys, Algorithm::Es256)
    }
    .header(&json!({"kid": "b81269f1-21d8-4f2e-b719-c2240a840d90"}))
    .claims(&json!({
        "iss": "https://abcdefghijklmnopqrst.supabase.co/auth/v1", "sub": user, "aud": "authenticated",
        "email": "ada@example.com", "phone": "", "app_metadata": app(json!({"tier": "price_1ExamplePro"})),
        "user_metadata": {"email": "ada@example.com", "email_verified": true, "sub": user}, "role": "authenticated",
        "aal": "aal1", "amr": [{"method": "password", "timestamp": now()}],
        "session_id": "0d5f9d3f-8c57-4f0f-a0f1-4f6a1f3c9b22", "is_anonymous": false,
    }))
}

pub(crate) fn clerk() -> Shape {
    let (user, org) = ("user_2b8yYr0xJHqzT4VQ1k7lWm3nP5s", "org_2b8yZc1aKLmN6oPqR9sTuVwX0yz");
    Shape {
        caller: [org, "proj_example", user, "admin", "max"],
        also_good: vec![
            ("no organisation", json!({"o": null, "pla": "u:pro"}), ["", "proj_example", user, "", "pro"]),
            ("no billing", json!({"pla": null, "fea": null}), [org, "proj_example", user, "admin", ""]),
            (
                "a plan that is not in the list",
                json!({"pla": "u:beta"}),
                [org, "proj_example", user, "admin", "u:beta"],
            ),
        ],
        refused: vec![
            ("another application of the same instance", json!({"azp": "https://evil.example.com"})),
            ("no origin", json!({"azp": null})),
            ("a template's token for another service", json!({"aud": "convex"})),
            ("an organisation that is a text", json!({"o": org})),
            ("an organisation without a proper name", json!({"o": {"id": "", "rol": "admin"}})),
        ],
        ..Shape::new("clerk", "clerk.example.com/.well-known/jwks.json", Algorithm::Rs256)
    }
    .header(&json!({"cat": "cl_B7d4PD111AAA", "kid": "ins_2b8yXd9wVuTsRqPoNmLkJiHgFeD"}))
    .claims(&json!({
        "iss": "https://clerk.example.com", "azp": "https://app.example.com", "sub": user,
        "sid": "sess_2b8yaE3fGhIjKlMnOpQrStUvWxY", "nbf": now() - 10, "exp": now() + 60, "jti": "5e0c1d2f3a4b5c6d7e8f",
        "fva": [7, -1], "v": 2, "sts": "active", "pla": "u:free,o:team", "fea": "o:dashboard",
        "o": {"id": org, "slg": "acme", "rol": "admin", "per": "read,manage", "fpm": "3"},
    }))
}

pub(crate) fn auth0() -> Shape {
    let user = "auth0|5f7c8ec7c33c6c004bbafe82";
    let (api, info) = ("https://api.example.com", "https://example.eu.auth0.com/userinfo");
    Shape {
        caller: ["acme", "proj_example", user, "editor", "pro"],
        also_good: vec![
            ("for our API alone", json!({"aud": api}), ["acme", "proj_example", user, "editor", "pro"]),
            (
                "without claims of ours",
                json!({"https://example.com/role": null, "https://example.com/tier": null}),
                ["acme", "proj_example", user, "", ""],
            ),
        ],
        refused: vec![
            ("for the user's profile alone", json!({"aud": info})),
            ("an ID token, which is for the application", json!({"aud": "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6", "azp": null})),
            ("a list of roles", json!({"https://example.com/role": ["editor", "admin"]})),
        ],
        jwk: json!({"alg": "RS256", "use": "sig", "x5t": "dGVzdA", "x5c": ["MIIC"]}),
        ..Shape::new("auth0", "example.eu.auth0.com/.well-known/jwks.json", Algorithm::Rs256)
    }
    .header(&json!({"kid": "NkJCQzIyQzRBMEZERjc2NDQxNTgxMzQ"}))
    .claims(&json!({
        "iss": "https://example.eu.auth0.com/", "sub": user, "aud": [api, info], "scope": "openid profile offline_access",
        "azp": "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6", "permissions": ["chat:write"], "exp": now() + 86_400,
        "https://example.com/role": "editor", "https://example.com/tier": "pro",
    }))
}

pub(crate) fn firebase() -> Shape {
    let user = "fT8mVnqYzXhGk2LpRwSb3CdEaJu1";
    let signed_in = |how: &str| json!({"identities": {"email": ["ada@example.com"]}, "sign_in_provider": how});
    Shape {
        caller: ["acme", "proj_example", user, "editor", "pro"],
        also_good: vec![(
            "without custom claims",
            json!({"role": null, "tier": null, "firebase": signed_in("google.com")}),
            ["acme", "proj_example", user, "", ""],
        )],
        refused: vec![
            (
                "another project's",
                json!({"aud": "other-project", "iss": "https://securetoken.google.com/other-project"}),
            ),
            ("another audience", json!({"aud": "other-project"})),
            ("a session cookie", json!({"iss": "https://session.firebase.google.com/example-project"})),
            ("an anonymous user", json!({"firebase": signed_in("anonymous"), "provider_id": "anonymous"})),
        ],
        ..Shape::new(
            "firebase",
            "www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
            Algorithm::Rs256,
        )
    }
    .header(&json!({"kid": "f10336f8ae1c4d1ba0d6b2fbf1f6d1a2c3b4e5f6"}))
    .claims(&json!({
        "iss": "https://securetoken.google.com/example-project", "aud": "example-project", "auth_time": now() - 60,
        "user_id": user, "sub": user, "name": "Ada", "email": "ada@example.com", "email_verified": true,
        "firebase": signed_in("password"), "role": "editor", "tier": "pro",
    }))
}

pub(crate) fn entra() -> Shape {
    let (tenant, user) = ("aaaabbbb-0000-cccc-1111-dddd2222eeee", "22223333-cccc-4444-dddd-5555eeee6666");
    let caller = ["acme", "proj_example", user, "", ""];
    Shape {
        user: "oid",
        caller,
        also_good: vec![("with another role beside ours", json!({"roles": ["Chat.Admin", "Chat.User"]}), caller)],
        refused: vec![
            ("for Microsoft Graph", json!({"aud": "00000003-0000-0000-c000-000000000000"})),
            (
                "of version 1.0",
                json!({"iss": format!("https://sts.windows.net/{tenant}/"), "ver": "1.0", "azp": null, "appid": "11112222-bbbb-3333-cccc-4444dddd5555"}),
            ),
            ("of another tenant", json!({"iss": "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"})),
            ("for another client", json!({"azp": "33334444-dddd-5555-eeee-6666ffff7777"})),
            ("of an application without a user", json!({"scp": null, "idtyp": "app"})),
            ("without a role here", json!({"roles": null})),
        ],
        // Theirs have no `alg`, and say whose they are.
        jwk: json!({"use": "sig", "x5t": "1LTMzakihiRla_8z2BEJVXeWMqo", "x5c": ["MIIC"], "issuer": format!("https://login.microsoftonline.com/{tenant}/v2.0"), "cloud_instance_name": "microsoftonline.com"}),
        ..Shape::new("entra", "login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/discovery/v2.0/keys", Algorithm::Rs256)
    }
    .header(&json!({"kid": "1LTMzakihiRla_8z2BEJVXeWMqo"}))
    .claims(&json!({
        "aud": "00001111-aaaa-2222-bbbb-3333cccc4444", "iss": format!("https://login.microsoftonline.com/{tenant}/v2.0"),
        "nbf": now(), "aio": "AXQAi/8IAAAA", "azp": "11112222-bbbb-3333-cccc-4444dddd5555", "azpacr": "0", "name": "Ada",
        "oid": user, "preferred_username": "ada@example.com", "rh": "0.AXoA", "roles": ["Chat.User"],
        "scp": "access_as_user", "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", "tid": tenant, "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0",
    }))
}

pub(crate) fn cognito() -> Shape {
    let user = "c2b5f4a4-0081-70f3-1234-5d6e7f8a9b0c";
    let caller = ["acme", "proj_example", user, "", ""];
    Shape {
        caller,
        also_good: vec![("of more groups", json!({"cognito:groups": ["admins", "chat-users"]}), caller)],
        refused: vec![
            ("for another client", json!({"client_id": "2other3456789"})),
            (
                "an ID token",
                json!({"token_use": "id", "aud": "1example23456789", "client_id": null, "scope": null, "username": null, "cognito:username": user}),
            ),
            ("for a resource of another", json!({"aud": "https://other.example.com"})),
            ("of no group", json!({"cognito:groups": null})),
            ("of another pool", json!({"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example02"})),
        ],
        ..Shape::new("cognito", "cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01/.well-known/jwks.json", Algorithm::Rs256)
    }
    // Theirs have no `typ`.
    .header(&json!({"kid": "abcdefghijklmnopqrsexample=", "typ": null}))
    .claims(&json!({
        "sub": user, "cognito:groups": ["chat-users"], "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01",
        "version": 2, "client_id": "1example23456789", "origin_jti": "a1b2c3d4-5678-90ab-cdef-example11111",
        "event_id": "b2c3d4e5-6789-01bc-def0-example22222", "token_use": "access", "scope": "aws.cognito.signin.user.admin",
        "auth_time": now() - 60, "jti": "c3d4e5f6-7890-12cd-ef01-example33333", "username": user,
    }))
}

pub(crate) fn keycloak() -> Shape {
    let user = "f1b7a0de-2c44-4c9d-8a5d-7c9e3b2a1f00";
    Shape {
        caller: ["acme", "proj_example", user, "", "pro"],
        also_good: vec![
            ("for us alone", json!({"aud": "tollgate"}), ["acme", "proj_example", user, "", "pro"]),
            ("no tier", json!({"tollgate": null}), ["acme", "proj_example", user, "", ""]),
        ],
        refused: vec![
            ("without our audience", json!({"aud": "account"})),
            ("an ID token", json!({"typ": "ID"})),
            ("another realm's", json!({"iss": "https://keycloak.example.com/realms/master"})),
            ("without the role", json!({"realm_access": {"roles": ["offline_access"]}})),
            ("with the role of a client's", json!({"realm_access": null, "resource_access": {"x": {"roles": ["chat-user"]}}})),
        ],
        more_keys: vec![json!({"kid": "enc", "kty": "RSA", "alg": "RSA-OAEP", "use": "enc", "e": "AQAB", "n": RFC_7515})],
        ..Shape::new("keycloak", "keycloak.example.com/realms/example/protocol/openid-connect/certs", Algorithm::Rs256)
    }
    .header(&json!({"kid": "Wt6Qm1xv3bq0u6l2tH8y3l9Qb8sW0kq5n7eXAMPLE"}))
    .claims(&json!({
        "auth_time": now() - 60, "jti": "onrtac:3f1b1d0e-7a55-4d3b-9a3d-2f2c8f7b6a11",
        "iss": "https://keycloak.example.com/realms/example", "aud": ["tollgate", "account"], "sub": user, "typ": "Bearer",
        "azp": "app", "sid": "4b9f1c2e-5d3a-4f6b-8c7d-9e0f1a2b3c4d", "acr": "1", "allowed-origins": ["https://app.example.com"],
        "realm_access": {"roles": ["default-roles-example", "chat-user"]},
        "resource_access": {"account": {"roles": ["manage-account"]}}, "scope": "openid email profile",
        "email_verified": true, "name": "Ada", "preferred_username": "ada", "tollgate": {"tier": "pro"},
    }))
}
