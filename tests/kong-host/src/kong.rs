//! One worker of Kong's: its modules, its filter chains, its requests.

use crate::{
    message::{Answer, CallAnswer, CallOut, Request, UpstreamRequest, UpstreamResponse},
    phases::{self, Plugin},
    shared::{Node, Written},
    vm::Vm,
    world::World,
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    rc::Rc,
};

/// What a filter did that Kong would not survive, or would pass over in silence.
pub struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// A request that comes while another one waits for the answer to a call-out.
#[derive(Debug)]
pub struct Interlude {
    /// The chain it runs through.
    pub chain: String,
    /// What the client sends.
    pub request: Request,
    /// What the upstream answers.
    pub response: UpstreamResponse,
    /// What the upstream received, afterwards.
    pub sent: Option<UpstreamRequest>,
    /// What the client received, afterwards.
    pub answer: Option<Answer>,
}

/// A worker. Its modules are instantiated once and serve every chain that names them.
pub struct Kong {
    filters: PathBuf,
    pub(crate) world: Rc<RefCell<World>>,
    pub(crate) vms: BTreeMap<String, Vm>,
    chains: BTreeMap<String, Vec<Plugin>>,
    /// Those that wait for their turn, and those that had it.
    pub(crate) interludes: (Vec<Interlude>, Vec<Interlude>),
}

impl Kong {
    /// A worker that finds its filters in a folder: `<name>.wasm`, or `<name>.wat`.
    #[must_use]
    pub fn new(filters: &Path) -> Self {
        Self::with_node(filters, Rc::default())
    }

    /// A worker with the filters that `scripts/build-wasm` built: those of `TOLLGATE_DIST`, or of `dist/`.
    #[must_use]
    pub fn built() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Self::new(&root.join(std::env::var_os("TOLLGATE_DIST").unwrap_or_else(|| "dist".into())))
    }

    fn with_node(filters: &Path, node: Rc<RefCell<Node>>) -> Self {
        let world = Rc::new(RefCell::new(World::new(node)));
        Self {
            filters: filters.to_owned(),
            world,
            vms: BTreeMap::new(),
            chains: BTreeMap::new(),
            interludes: Default::default(),
        }
    }

    /// Another worker of the same node: modules of its own, the same shared data and metrics.
    ///
    /// # Errors
    /// When a chain of this worker does not start there.
    pub fn another_worker(&self) -> Result<Self, Failure> {
        let node = Rc::clone(&self.world.borrow().node);
        let mut other = Self::with_node(&self.filters, node);
        other.world.borrow_mut().now_nanos = self.world.borrow().now_nanos;
        for (name, plugins) in &self.chains {
            let plugins: Vec<_> = plugins.iter().map(|it| (it.filter.clone(), it.config.clone())).collect();
            other.add_chain(name, plugins)?;
        }
        Ok(other)
    }

    /// Where it finds its filters.
    #[must_use]
    pub fn filters(&self) -> &Path {
        &self.filters
    }

    /// Configures a filter chain: names of filters and their configurations, in order.
    ///
    /// # Errors
    /// When a module does not load, traps, or refuses its configuration.
    pub fn chain<C: AsRef<str>>(&mut self, name: &str, filters: &[(&str, C)]) -> Result<(), Failure> {
        let owned = |(filter, config): &(&str, C)| ((*filter).to_owned(), config.as_ref().as_bytes().to_vec());
        self.add_chain(name, filters.iter().map(owned).collect())
    }

    fn add_chain(&mut self, name: &str, filters: Vec<(String, Vec<u8>)>) -> Result<(), Failure> {
        let mut plugins = Vec::new();
        for (filter, config) in filters {
            let root = self.start(&filter, &config).map_err(|why| self.failure(&why))?;
            plugins.push(Plugin { filter, root, config });
        }
        self.chains.insert(name.to_owned(), plugins);
        Ok(())
    }

    /// Makes the root context of a filter with this configuration, where there is none.
    fn start(&mut self, filter: &str, config: &[u8]) -> Result<u32, String> {
        let first = !self.vms.contains_key(filter);
        if first {
            let file = ["wasm", "wat"].map(|it| self.filters.join(format!("{filter}.{it}")));
            let [wasm, wat] = &file;
            let vm = Vm::load(filter, if wat.exists() { wat } else { wasm }, &self.world)?;
            self.vms.insert(filter.to_owned(), vm);
        }
        let root = crc32(&[filter.as_bytes(), config].concat());
        let known = self.chains.values().flatten().any(|it| it.root == root);
        if !known {
            let vm = self.vms.get_mut(filter).expect("a VM that was loaded");
            vm.start(root, config, first)?;
        }
        Ok(root)
    }

    /// Runs a request through a chain. `upstream` answers it; `answer` answers the call-outs.
    ///
    /// # Errors
    /// When a filter does what Kong would not survive or would pass over in silence.
    pub fn request(
        &mut self,
        chain: &str,
        request: Request,
        upstream: impl FnMut(&UpstreamRequest) -> UpstreamResponse,
        answer: impl FnMut(&CallOut) -> CallAnswer,
    ) -> Result<Answer, Failure> {
        let plugins = self.plugins(chain);
        let (mut upstream, mut answer) = (upstream, answer);
        let run = phases::run(self, &plugins, chain, request, &mut upstream, &mut answer);
        if run.is_err() {
            let mut world = self.world.borrow_mut();
            world.exchange = None;
            world.pending.clear();
        }
        run.map_err(|why| self.failure(&why))
    }

    pub(crate) fn plugins(&self, chain: &str) -> Vec<Plugin> {
        self.chains.get(chain).unwrap_or_else(|| panic!("no chain {chain}")).clone()
    }

    /// Has another request come in between, when the next one waits for the answer to a call-out.
    pub fn meanwhile(&mut self, chain: &str, request: Request, response: UpstreamResponse) {
        let interlude = Interlude { chain: chain.to_owned(), request, response, sent: None, answer: None };
        self.interludes.0.push(interlude);
    }

    /// The requests that came in between, with what became of them.
    pub fn interludes(&mut self) -> Vec<Interlude> {
        assert!(self.interludes.0.is_empty(), "nothing waited, so no request could come in between");
        std::mem::take(&mut self.interludes.1)
    }

    /// Lets the timer of a filter's root contexts fire once, and answers what they ask.
    ///
    /// # Errors
    /// When the filter traps, or asked for no ticks.
    pub fn tick(&mut self, filter: &str, answer: impl FnMut(&CallOut) -> CallAnswer) -> Result<(), Failure> {
        let mut answer = answer;
        phases::tick(self, filter, &mut answer).map_err(|why| self.failure(&why))
    }

    /// All configurations of a filter that run, by root context.
    pub(crate) fn roots(&self, filter: &str) -> BTreeMap<u32, Vec<u8>> {
        let plugins = self.chains.values().flatten().filter(|it| it.filter == filter);
        plugins.map(|it| (it.root, it.config.clone())).collect()
    }

    /// Sets the clock, in seconds since 1970.
    pub fn set_time(&mut self, seconds: u64) {
        self.world.borrow_mut().now_nanos = seconds * 1_000_000_000;
    }

    /// Moves the clock on.
    pub fn advance(&mut self, millis: u64) {
        self.world.borrow_mut().now_nanos += millis * 1_000_000;
    }

    /// What the filters logged so far.
    #[must_use]
    pub fn logs(&self) -> Vec<String> {
        self.world.borrow().logs.clone()
    }

    /// A metric's value; `None` while nobody defined it.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<u64> {
        self.world.borrow().node.borrow().metric(name)
    }

    /// The keys of the shared data.
    #[must_use]
    pub fn shared_keys(&self) -> Vec<String> {
        let keys = self.world.borrow().node.borrow().keys();
        keys.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect()
    }

    /// Throws a key of the shared data away, as Kong does without a word when a zone is full.
    pub fn evict(&mut self, key: &str) {
        let world = self.world.borrow();
        let mut node = world.node.borrow_mut();
        if let Some((_, cas)) = node.get(key.as_bytes()) {
            assert_eq!(node.set(key.as_bytes(), None, cas), Written::Done);
        }
    }

    /// Sets `client_body_buffer_size`: filters do not get a larger body.
    pub fn client_body_buffer(&mut self, bytes: usize) {
        self.world.borrow_mut().client_body_buffer = bytes;
    }

    /// The size of a filter's memory in bytes: what a worker of Kong's never gets back.
    #[must_use]
    pub fn memory(&self, filter: &str) -> usize {
        self.vms.get(filter).map_or(0, Vm::memory)
    }

    pub(crate) fn failure(&self, why: &str) -> Failure {
        let world = self.world.borrow();
        let last = world.logs.len().saturating_sub(20);
        let logs = world.logs[last..].join("\n    ");
        Failure(format!("{why}\n  the last lines of the log:\n    {logs}"))
    }
}

/// The checksum that WasmX names root contexts by.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}
