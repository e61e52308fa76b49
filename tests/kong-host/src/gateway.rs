//! kong.yml, run: routes, services and both hops.

use crate::{
    kong::{Failure, Kong},
    message::{Answer, CallAnswer, CallOut, Ending, Request, UpstreamRequest, UpstreamResponse},
};
use serde_json::Value;
use std::path::Path;

/// A declarative configuration of Kong's, as far as Tollgate uses it.
#[derive(Debug, Clone)]
pub struct KongFile {
    services: Vec<Service>,
}

#[derive(Debug, Clone)]
struct Service {
    name: String,
    /// Where its requests go: `host:port`.
    address: String,
    /// What stands before the path there.
    base_path: String,
    routes: Vec<Route>,
    filters: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
struct Route {
    expression: String,
    priority: u64,
    strip_path: bool,
    response_buffering: bool,
}

impl KongFile {
    /// Reads a file's text.
    ///
    /// # Panics
    /// When it is no YAML or lacks what every service must have.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let file: Value = serde_yaml_ng::from_str(text).expect("kong.yml is YAML");
        let services = file["services"].as_array().expect("services");
        Self { services: services.iter().map(service).collect() }
    }

    /// The filters of every service: service, filter, configuration as Kong hands it over.
    pub fn filters(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.services.iter().flat_map(|service| {
            service.filters.iter().map(|(filter, config)| (service.name.as_str(), filter.as_str(), config.as_str()))
        })
    }

    /// The expressions of all routes.
    pub fn expressions(&self) -> impl Iterator<Item = &str> {
        self.services.iter().flat_map(|it| &it.routes).map(|it| it.expression.as_str())
    }

    /// Routes that would hold a stream back or cut the path, which are Kong's defaults.
    #[must_use]
    pub fn careless_routes(&self) -> Vec<String> {
        let routes = self.services.iter().flat_map(|service| service.routes.iter().map(move |it| (service, it)));
        let careless =
            routes.filter(|(service, it)| it.response_buffering || it.strip_path && service.base_path.is_empty());
        careless.map(|(_, it)| it.expression.clone()).collect()
    }

    /// Finds the service for a request, and writes down where Kong will send it before any filter runs.
    fn route(&self, port: u16, request: &mut Request) -> Option<&Service> {
        let routes = self.services.iter().flat_map(|service| service.routes.iter().map(move |it| (service, it)));
        let matching = routes.filter(|(_, it)| matches(&it.expression, port, request));
        let (service, route) = matching.max_by_key(|(_, it)| it.priority)?;
        let path = if route.strip_path { cut(&route.expression, &request.path) } else { &request.path };
        let host = service.address.trim_end_matches(":443").to_owned();
        request.upstream = Some((host, format!("{}{path}", service.base_path)));
        Some(service)
    }
}

/// A path without the prefix that the route matched: what `strip_path` does.
fn cut<'a>(expression: &str, path: &'a str) -> &'a str {
    let prefix = expression.split("http.path ^= \"").nth(1).and_then(|it| it.split('"').next());
    prefix.and_then(|it| path.strip_prefix(it)).unwrap_or(path)
}

fn service(value: &Value) -> Service {
    let text = |it: &Value| it.as_str().unwrap_or_else(|| panic!("a text, not {it}")).to_owned();
    let name = text(&value["name"]);
    let url = text(&value["url"]);
    let (scheme, address) = url.split_once("://").expect("an URL");
    let (host, base_path) =
        address.split_once('/').map_or((address, String::new()), |(host, path)| (host, format!("/{path}")));
    let address = match scheme {
        "https" if !host.contains(':') => format!("{host}:443"),
        _ => host.to_owned(),
    };
    let chains = value["filter_chains"].as_array().map_or(&[][..], Vec::as_slice);
    assert!(chains.len() <= 1, "{name}: Kong takes one filter chain for a service");
    let filters = chains.iter().flat_map(|it| it["filters"].as_array().expect("filters"));
    let filters = filters.map(|it| (text(&it["name"]), config(&it["config"]))).collect();
    let routes = value["routes"].as_array().expect("routes").iter().map(|it| Route {
        expression: text(&it["expression"]),
        priority: it["priority"].as_u64().unwrap_or(0),
        strip_path: it["strip_path"].as_bool().unwrap_or(true),
        response_buffering: it["response_buffering"].as_bool().unwrap_or(true),
    });
    Service { name, address, base_path, routes: routes.collect(), filters }
}

/// Kong hands an object over as JSON text, a string as it is.
fn config(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Kong's expressions, as far as kong.yml uses them: comparisons, joined by `&&`. Of a header that
/// came more than once, every copy must match.
fn matches(expression: &str, port: u16, request: &Request) -> bool {
    expression.split("&&").all(|term| {
        let parts: Vec<&str> = term.trim().splitn(3, ' ').collect();
        let [field, operator, literal] = parts[..] else { panic!("a comparison, not {term:?}") };
        let literal = literal.trim().trim_matches('"');
        let values: Vec<String> = match field {
            "net.dst.port" => vec![port.to_string()],
            "http.path" => vec![request.path.split('?').next().unwrap_or_default().to_owned()],
            "http.method" => vec![request.method.clone()],
            _ => {
                let name = field.strip_prefix("http.headers.").unwrap_or_else(|| panic!("a field, not {field}"));
                let same = |it: &str| it.to_ascii_lowercase().replace('-', "_") == name;
                let found = request.headers.iter().filter(|(it, _)| same(it));
                found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
            }
        };
        let holds = |value: &String| match operator {
            "==" => value == literal,
            "!=" => value != literal,
            "^=" => value.starts_with(literal),
            other => panic!("operator {other} in a route's expression"),
        };
        !values.is_empty() && values.iter().all(holds)
    })
}

/// What one hop sent on.
#[derive(Debug, Clone)]
pub struct Hop {
    /// The service whose route took the request.
    pub service: String,
    /// What went out of it.
    pub sent: UpstreamRequest,
}

/// Kong with a configuration: each hop runs in a worker of its own, as it may in Kong.
pub struct Gateway {
    file: KongFile,
    /// The port that clients use.
    port: u16,
    front: Kong,
    second: Kong,
    /// What each hop of the last request sent on.
    pub hops: Vec<Hop>,
}

impl Gateway {
    /// Starts Kong with a configuration, its clients coming to `port`.
    ///
    /// # Errors
    /// When a filter does not start.
    pub fn start(text: &str, port: u16, filters: &Path) -> Result<Self, Failure> {
        let file = KongFile::parse(text);
        let mut front = Kong::new(filters);
        for service in &file.services {
            let filters: Vec<_> = service.filters.iter().map(|(name, config)| (name.as_str(), config)).collect();
            front.chain(&service.name, &filters)?;
        }
        let second = front.another_worker()?;
        Ok(Self { file, port, front, second, hops: Vec::new() })
    }

    /// Sets the clock of both workers, in seconds since 1970.
    pub fn set_time(&mut self, seconds: u64) {
        self.front.set_time(seconds);
        self.second.set_time(seconds);
    }

    /// Moves the clock of both workers on.
    pub fn advance(&mut self, millis: u64) {
        self.front.advance(millis);
        self.second.advance(millis);
    }

    /// The worker that takes the clients' requests.
    pub fn front(&mut self) -> &mut Kong {
        &mut self.front
    }

    /// The worker of the second hop.
    pub fn second(&mut self) -> &mut Kong {
        &mut self.second
    }

    /// Sends a client's request through all hops. `provider` answers for the services behind Kong.
    ///
    /// # Errors
    /// When a filter does what Kong would not survive or would pass over in silence.
    pub fn request(
        &mut self,
        mut request: Request,
        mut provider: impl FnMut(&str, &UpstreamRequest) -> UpstreamResponse,
        mut answer: impl FnMut(&CallOut) -> CallAnswer,
    ) -> Result<Answer, Failure> {
        self.hops.clear();
        let Self { file, port, front, second, hops } = self;
        let Some(service) = file.route(*port, &mut request) else { return Ok(no_route()) };
        let mut failed = None;
        let mut sent = Vec::new();
        let answered = front.request(
            &service.name,
            request,
            |out| {
                sent.push(Hop { service: service.name.clone(), sent: out.clone() });
                let Some(own) = own_port(&service.address, *port) else { return provider(&service.name, out) };
                let mut inner = again(out);
                let Some(service) = file.route(own, &mut inner) else { return on(no_route()) };
                let mut last = None;
                let answered = second.request(
                    &service.name,
                    inner,
                    |out| {
                        last = Some(Hop { service: service.name.clone(), sent: out.clone() });
                        provider(&service.name, out)
                    },
                    |_| CallAnswer::Failed,
                );
                sent.extend(last);
                answered.map_or_else(
                    |failure| {
                        failed = Some(failure);
                        on(no_route())
                    },
                    on,
                )
            },
            &mut answer,
        )?;
        hops.extend(sent);
        failed.map_or(Ok(answered), Err)
    }
}

/// The port of Kong's own second listener, if that is where a service points to.
fn own_port(address: &str, front: u16) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    (host == "127.0.0.1" && port == front + 10).then_some(port)
}

/// What one hop sent, as the next one receives it.
fn again(sent: &UpstreamRequest) -> Request {
    let mut headers = vec![("Host".to_owned(), sent.host.clone().into_bytes())];
    headers.extend(sent.headers.iter().cloned());
    let (method, path, body) = (sent.method.clone(), sent.path.clone(), sent.body.clone());
    Request { method, path, headers, body, chunked: false, upstream: None }
}

/// What one hop answered, as the one before receives it.
fn on(answer: Answer) -> UpstreamResponse {
    let sized = answer.header("content-length").is_some();
    let Answer { status, headers, pieces, ending, .. } = answer;
    UpstreamResponse { status, headers, pieces, sized, ending }
}

/// Kong's own answer when no route takes a request.
fn no_route() -> Answer {
    let body = b"{\"message\":\"no Route matched with those values\"}".to_vec();
    let headers = vec![
        ("Content-Type".to_owned(), b"application/json".to_vec()),
        ("Content-Length".to_owned(), body.len().to_string().into_bytes()),
    ];
    Answer { status: 404, headers, pieces: vec![body], local: true, ending: Ending::Complete }
}
