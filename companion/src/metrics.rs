//! What the companion counts of itself, in Prometheus' (OpenMetrics') text form.
//!
//! Labels are bounded by this code: outcomes, route templates, status classes; never a name that somebody
//! chose. One `Metrics` belongs to one companion, so that two in one process count apart.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The type that `/metrics` answers.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Before every name.
const PREFIX: &str = "tollgate_companion";
/// The upper ends of the histogram's buckets, in seconds: a question of a gateway should be in the first three.
const SECONDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// What happened, once each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// A token was minted.
    Minted,
    /// A key that mints nothing was presented.
    MintRefused,
    /// So was one by an address that has failed too often.
    MintLimited,
    /// A rate allowance was leased to a gateway.
    RateLeaseGranted,
    /// Nothing was left of the limit.
    RateLeaseRefused,
    /// A part of a budget was leased to a gateway.
    BudgetLeaseGranted,
    /// Nothing was left of the budget.
    BudgetLeaseRefused,
    /// A usage record was stored.
    RecordStored,
    /// A usage record was there already.
    RecordKnown,
    /// A usage record could not be stored whatever one does, and was left out.
    RecordRefused,
    /// An event was written into the outbox.
    EventQueued,
    /// An event was taken over by Redis.
    EventPublished,
    /// An event was too old, or one too many, and is gone.
    EventDropped,
    /// A webhook took an event.
    WebhookDelivered,
    /// A webhook did not, and is asked again.
    WebhookFailed,
    /// A webhook did not as often as it is asked; that event is not sent to it again.
    WebhookGivenUp,
    /// A model gave a thread its title.
    TitleMade,
    /// It gave none.
    TitleFailed,
    /// It was not asked, because too many threads wait for their titles.
    TitleDropped,
    /// Nobody looked whether a turn is its thread's first, because too many wait for that.
    TitleOverlooked,
    /// A database did not answer as it should.
    DatabaseError,
    /// Redis did not answer as it should.
    RedisError,
}

/// A state that goes up and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Turns under way.
    OpenTurns,
    /// Events that somebody is still to get.
    EventsWaiting,
}

/// An answered request. Its members are templates and classes, never what a client wrote.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered<'a> {
    /// `public` or `internal`.
    pub(crate) listener: &'static str,
    /// The route's template; `-` when there is none.
    pub(crate) route: &'a str,
    /// The method, if it is one that anybody may use here.
    pub(crate) method: &'a str,
    /// The status.
    pub(crate) status: u16,
    /// How long it took.
    pub(crate) took: Duration,
}

/// The counters of one companion; a clone counts on the same.
#[derive(Debug, Clone)]
pub(crate) struct Metrics(Arc<Inner>);

type Label = [(&'static str, &'static str); 1];
type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
struct Inner {
    registry: Registry,
    counts: Vec<(&'static str, Family<Label, Counter>)>,
    levels: Vec<(Level, Gauge)>,
    requests: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
}

impl Metrics {
    /// All at zero: a dashboard sees a counter before it counts for the first time.
    #[must_use]
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let mut counts = Vec::<(&str, Family<Label, Counter>)>::new();
        for count in Count::ALL {
            let (name, help, label) = count.place();
            if !counts.iter().any(|(it, _)| *it == name) {
                let family = Family::<Label, Counter>::default();
                registry.register(name, help, family.clone());
                counts.push((name, family));
            }
            if let Some((_, family)) = counts.iter().find(|(it, _)| *it == name) {
                let _ = family.get_or_create(&[label]);
            }
        }
        let levels = Level::ALL.map(|level| {
            let (gauge, (name, help)) = (Gauge::default(), level.place());
            registry.register(name, help, gauge.clone());
            (level, gauge)
        });
        let requests = Family::<Labels, Counter>::default();
        registry.register(
            "http_requests",
            "Answered requests, by route template and class of status",
            requests.clone(),
        );
        let new_histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let seconds = Family::new_with_constructor(new_histogram);
        registry.register("http_request_seconds", "How long requests took, by route template", seconds.clone());
        Self(Arc::new(Inner { registry, counts, levels: levels.to_vec(), requests, seconds }))
    }

    /// Counts one more.
    pub(crate) fn count(&self, what: Count) {
        self.add(what, 1);
    }

    /// Counts `n` more.
    pub(crate) fn add(&self, what: Count, n: u64) {
        let (name, _, label) = what.place();
        if let Some((_, family)) = self.0.counts.iter().find(|(it, _)| *it == name) {
            family.get_or_create(&[label]).inc_by(n);
        }
    }

    /// Says how much there is now.
    pub(crate) fn set(&self, what: Level, now: u64) {
        if let Some((_, gauge)) = self.0.levels.iter().find(|(it, _)| *it == what) {
            gauge.set(i64::try_from(now).unwrap_or(i64::MAX));
        }
    }

    /// Counts an answered request.
    pub(crate) fn answered(&self, request: &Answered<'_>) {
        let mut labels = vec![
            ("listener", request.listener.to_owned()),
            ("route", request.route.to_owned()),
            ("method", known_method(request.method).to_owned()),
        ];
        self.0.seconds.get_or_create(&labels).observe(request.took.as_secs_f64());
        labels.push(("status", class(request.status).to_owned()));
        self.0.requests.get_or_create(&labels).inc();
    }

    /// Everything, as a scraper reads it.
    ///
    /// # Errors
    /// When a number cannot be written, which would be a fault of this program.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Count {
    /// Every one, so that all are there from the beginning.
    const ALL: [Self; 22] = [
        Self::Minted,
        Self::MintRefused,
        Self::MintLimited,
        Self::RateLeaseGranted,
        Self::RateLeaseRefused,
        Self::BudgetLeaseGranted,
        Self::BudgetLeaseRefused,
        Self::RecordStored,
        Self::RecordKnown,
        Self::RecordRefused,
        Self::EventQueued,
        Self::EventPublished,
        Self::EventDropped,
        Self::WebhookDelivered,
        Self::WebhookFailed,
        Self::WebhookGivenUp,
        Self::TitleMade,
        Self::TitleFailed,
        Self::TitleDropped,
        Self::TitleOverlooked,
        Self::DatabaseError,
        Self::RedisError,
    ];

    /// The metric, what it counts, and this one's label.
    const fn place(self) -> (&'static str, &'static str, (&'static str, &'static str)) {
        let (name, outcome) = match self {
            Self::Minted => ("mints", "minted"),
            Self::MintRefused => ("mints", "refused"),
            Self::MintLimited => ("mints", "limited"),
            Self::RateLeaseGranted => ("rate_leases", "granted"),
            Self::RateLeaseRefused => ("rate_leases", "refused"),
            Self::BudgetLeaseGranted => ("budget_leases", "granted"),
            Self::BudgetLeaseRefused => ("budget_leases", "refused"),
            Self::RecordStored => ("usage_records", "stored"),
            Self::RecordKnown => ("usage_records", "known"),
            Self::RecordRefused => ("usage_records", "refused"),
            Self::EventQueued => ("events", "queued"),
            Self::EventPublished => ("events", "published"),
            Self::EventDropped => ("events", "dropped"),
            Self::WebhookDelivered => ("webhook_attempts", "delivered"),
            Self::WebhookFailed => ("webhook_attempts", "failed"),
            Self::WebhookGivenUp => ("webhook_attempts", "given_up"),
            Self::TitleMade => ("titles", "made"),
            Self::TitleFailed => ("titles", "failed"),
            Self::TitleDropped => ("titles", "dropped"),
            Self::TitleOverlooked => ("titles", "overlooked"),
            Self::DatabaseError => return ("storage_errors", ERRORS, ("storage", "database")),
            Self::RedisError => return ("storage_errors", ERRORS, ("storage", "redis")),
        };
        (name, "How often, by outcome", ("outcome", outcome))
    }
}

const ERRORS: &str = "What a database or Redis did not answer as it should";

impl Level {
    const ALL: [Self; 2] = [Self::OpenTurns, Self::EventsWaiting];

    const fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::OpenTurns => ("open_turns", "Turns under way"),
            Self::EventsWaiting => ("events_waiting", "Events that Redis or a webhook is still to get"),
        }
    }
}

/// A client may call its method anything.
fn known_method(method: &str) -> &str {
    if matches!(method, "GET" | "HEAD" | "POST" | "PATCH" | "DELETE") { method } else { "other" }
}

const fn class(status: u16) -> &'static str {
    match status {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(metrics: &Metrics, line: &str) {
        let text = metrics.text().unwrap();
        assert!(text.lines().any(|it| it == line), "{line} is not in:\n{text}");
    }

    #[test]
    fn every_count_is_there_from_the_beginning_and_counts_apart() {
        let metrics = Metrics::new();
        for (nth, count) in Count::ALL.into_iter().enumerate() {
            metrics.add(count, nth as u64);
        }
        for (nth, count) in Count::ALL.into_iter().enumerate() {
            let (name, _, (label, value)) = count.place();
            has(&metrics, &format!("tollgate_companion_{name}_total{{{label}=\"{value}\"}} {nth}"));
        }
        has(&Metrics::new(), "tollgate_companion_usage_records_total{outcome=\"stored\"} 0");
    }

    #[test]
    fn a_request_is_counted_by_its_template_and_never_by_what_a_client_wrote() {
        let metrics = Metrics::new();
        let took = Duration::from_millis(2);
        for (method, status) in [("GET", 200), ("GET", 204), ("GET", 503), ("BREW", 405)] {
            metrics.answered(&Answered { listener: "public", route: "/v1/threads/{thread}", method, status, took });
        }
        let requests = "tollgate_companion_http_requests_total{listener=\"public\",route=\"/v1/threads/{thread}\"";
        has(&metrics, &format!("{requests},method=\"GET\",status=\"2xx\"}} 2"));
        has(&metrics, &format!("{requests},method=\"GET\",status=\"5xx\"}} 1"));
        has(&metrics, &format!("{requests},method=\"other\",status=\"4xx\"}} 1"));
        let seconds = "tollgate_companion_http_request_seconds_bucket{le=\"0.0025\",listener=\"public\"";
        has(&metrics, &format!("{seconds},route=\"/v1/threads/{{thread}}\",method=\"GET\"}} 3"));
    }

    #[test]
    fn a_level_goes_up_and_down() {
        let metrics = Metrics::new();
        metrics.set(Level::EventsWaiting, 7);
        metrics.set(Level::EventsWaiting, 3);
        has(&metrics, "tollgate_companion_events_waiting 3");
    }
}
