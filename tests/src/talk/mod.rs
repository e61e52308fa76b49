//! Many users who talk at once, each on a thread of the same name, through several gateways, while what they rely on dies and
//! comes back: is what they were told the truth?
//!
//! A turn is acknowledged when its plain answer came whole, or its stream said `[DONE]`. A user goes on at once, through a gateway
//! picked by chance, and asks again when there was no answer. Every try is answered with a text of its own, so that what is
//! stored, and what a model is shown, can be told apart by nothing but itself.

mod audit;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Call, Client};
use crate::companion::{Companion, Project};
use crate::fake::FakeProvider;
use crate::gateway::Gateway;
use crate::process::{kill, wait_until};
use crate::traffic::Dice;
pub use audit::Summary;

/// What all users call their thread.
const THREAD: &str = "same";
/// How long a user goes on asking the same.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before they ask again.
const BREATH: Duration = Duration::from_millis(100);
/// A user is a thread that waits.
const STACK: usize = 256 * 1024;
const GATEWAYS: usize = 3;
/// More tries than turns are remembered: this many for each.
const TRIES: usize = 4;

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// All at once.
    pub users: usize,
    /// Of each.
    pub turns: usize,
}

impl Load {
    /// `SOAK_USERS` and `SOAK_TURNS`, and this where they are not set.
    ///
    /// # Panics
    /// If one is set to something else than a number.
    #[must_use]
    pub fn or(users: usize, turns: usize) -> Self {
        let number = |name: &str, or| {
            std::env::var(name).map_or(or, |it| it.parse().unwrap_or_else(|_| panic!("{name}: {it:?} is no number")))
        };
        Self { users: number("SOAK_USERS", users), turns: number("SOAK_TURNS", turns) }
    }
}

/// One try at a turn.
#[derive(Debug, Clone)]
struct Try {
    turn: usize,
    /// The n-th of this user's.
    number: usize,
    acknowledged: bool,
    /// Whether the answer said so; `None` where no head of one came.
    stale: Option<bool>,
    /// Nothing had died when it ended.
    quiet: bool,
}

/// What the user says in this turn, and is told in this try.
fn question(user: usize, turn: usize) -> String {
    format!("u{user} t{turn}")
}

fn answer(user: usize, it: &Try) -> String {
    format!("u{user} t{} a{} and so on", it.turn, it.number)
}

/// Where they talk.
struct Place {
    clients: Vec<Client>,
    project: String,
    done: AtomicUsize,
    /// Something has died.
    broken: AtomicBool,
}

/// Has them talk through three gateways, spread over these companions, which share their database. After a quarter of the
/// turns one companion is stopped and comes back, after a half one gateway is killed for good, after three quarters a companion is
/// killed and comes back. Then everything is compared.
///
/// # Panics
/// If anything was lost, doubled, mixed up or shown wrongly; with the first that was.
#[must_use]
pub fn storm(companions: Vec<Companion>, load: Load) -> Summary {
    let fake = FakeProvider::remembering(load.users * load.turns * TRIES);
    let project = companions[0].project("acme", "talk");
    let gateway = |nth: usize| gateway(&companions[nth % companions.len()], &fake);
    let gateways: Vec<Gateway> = (0..GATEWAYS).map(gateway).collect();
    let clients = gateways.iter().map(Gateway::client).collect();
    let place = Arc::new(Place {
        clients,
        project: project.project_id.clone(),
        done: AtomicUsize::new(0),
        broken: AtomicBool::new(false),
    });
    let companions = Mutex::new(companions);
    let began = Instant::now();
    let tries: Vec<Vec<Try>> = thread::scope(|scope| {
        scope.spawn(|| break_things(&place, load, &companions, &gateways));
        let user = |user| {
            let place = Arc::clone(&place);
            let talk = move || talk(&place, user, load.turns);
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, talk).expect("a thread")
        };
        let users: Vec<_> = (0..load.users).map(user).collect();
        users.into_iter().map(|it| it.join().expect("a user")).collect()
    });
    let took = began.elapsed();
    let companions = companions.into_inner().unwrap_or_else(PoisonError::into_inner);
    let heard = audit::heard(&fake.requests());
    let stored = |user: usize| stored(&companions, &project, user);
    let mut summary = audit::compare(&tries, &heard, stored);
    summary.took = took;
    summary
}

fn gateway(companion: &Companion, fake: &FakeProvider) -> Gateway {
    // That the companion is away, which it warns of, is our doing.
    Gateway::from("envoy/examples/session.yaml").fake(fake).companion(companion).log_level("error").start()
}

fn break_things(place: &Place, load: Load, companions: &Mutex<Vec<Companion>>, gateways: &[Gateway]) {
    let whole = load.users * load.turns;
    let reached = |part: usize| {
        wait_until(PATIENCE * 10, "users to talk on", || {
            (place.done.load(Ordering::SeqCst) >= whole * part / 4).then_some(())
        });
    };
    reached(1);
    place.broken.store(true, Ordering::SeqCst);
    {
        let mut companions = companions.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(companions[0].terminate(), "the companion did not stop in an orderly way");
        companions[0].restart();
    }
    reached(2);
    kill(gateways[0].process_id());
    reached(3);
    let mut companions = companions.lock().unwrap_or_else(PoisonError::into_inner);
    companions.iter_mut().next_back().expect("a companion").restart();
}

fn talk(place: &Place, user: usize, turns: usize) -> Vec<Try> {
    let (mut dice, mut tries) = (Dice::new(user as u64), Vec::new());
    for turn in 0..turns {
        let began = Instant::now();
        loop {
            let mut it = Try { turn, number: tries.len(), acknowledged: false, stale: None, quiet: false };
            let gateway = place.clients[dice.below(place.clients.len() as u64) as usize];
            let why = ask(place, gateway, user, &mut it);
            it.quiet = !place.broken.load(Ordering::SeqCst);
            let acknowledged = it.acknowledged;
            tries.push(it);
            if acknowledged {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "user {user} has no answer in turn {turn}: {why}");
            thread::sleep(BREATH);
        }
        place.done.fetch_add(1, Ordering::SeqCst);
    }
    tries
}

/// Asks once; what became of it is written down, and told if it was nothing.
fn ask(place: &Place, gateway: Client, user: usize, it: &mut Try) -> String {
    let digits: String = answer(user, it).bytes().map(|byte| format!("{byte:02x}")).collect();
    let stream = (user + it.turn).is_multiple_of(2);
    let mut body = crate::client::chat(&format!("fake-says-{digits}"), &question(user, it.turn));
    body["stream"] = json!(stream);
    let mut answered = match call(gateway, &place.project, user, &body).try_stream() {
        Ok(answered) => answered,
        Err(error) => return error.to_string(),
    };
    if answered.status != 200 {
        let (status, text) = (answered.status, answered.rest().text());
        // Whatever else a gateway answers has nothing to do with what we broke.
        assert_eq!(status, 503, "user {user}: {text}");
        return text;
    }
    it.stale = Some(answered.header("x-tollgate-memory").is_some_and(|it| it == "stale"));
    if stream {
        it.acknowledged = std::iter::from_fn(|| answered.event()).any(|event| event.data == "[DONE]");
    } else {
        it.acknowledged = !answered.rest().broken;
    }
    "it broke off".to_owned()
}

fn call(gateway: Client, project: &str, user: usize, body: &Value) -> Call {
    let call = gateway.post("/v1/chat/completions", body).thread(THREAD);
    call.header("x-project-id", project).header("x-end-user-id", format!("user-{user}"))
}

/// What the API says of a user's messages: role, text, and whether its turn is complete.
fn stored(companions: &[Companion], project: &Project, user: usize) -> Vec<(String, String, bool)> {
    let client = companions[0].client();
    let token = client.mint(&project.api_key, &json!({"user_id": format!("user-{user}")}));
    let page = |path: &str| client.get(path).bearer(&token).send().json();
    let threads = page("/v1/threads");
    assert_eq!(threads["data"].as_array().map(Vec::len), Some(1), "user {user} has one thread: {threads}");
    let messages = page(&format!("/v1/threads/{THREAD}/messages?limit=1000"));
    assert_eq!(messages["has_more"], false, "user {user} has a page of messages");
    let all = messages["data"].as_array().expect("messages");
    assert_eq!(threads["data"][0]["message_count"], all.len(), "user {user}: the thread counts its messages");
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    all.iter().map(|it| (text(it, "role"), text(it, "content"), it["complete"] == true)).collect()
}
