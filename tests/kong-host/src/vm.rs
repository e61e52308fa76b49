//! One module in one worker: all contexts of it share this instance, as in Kong.

use crate::{
    imports, wasi,
    world::{Step, World},
};
use std::{cell::RefCell, path::Path, rc::Rc};
use wasmi::{Engine, Error, Instance, Linker, Memory, Module, Store, TypedFunc, WasmParams, WasmResults};

/// What the host functions see of the instance that calls them.
pub(crate) struct State {
    pub(crate) filter: String,
    pub(crate) world: Rc<RefCell<World>>,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
    /// The context that runs, and whether it is a root.
    pub(crate) context: u32,
    pub(crate) is_root: bool,
    /// The configuration of the plugin that runs.
    pub(crate) config: Vec<u8>,
}

/// An instance of a filter's module.
pub(crate) struct Vm {
    store: Store<State>,
    instance: Instance,
    /// Context numbers count through the instance, from 1.
    next_context: u32,
}

/// The root context's number in the calls that make it.
const NO_PARENT: u32 = 0;

impl Vm {
    /// Reads a module: `.wasm`, or `.wat` text.
    pub(crate) fn load(filter: &str, file: &Path, world: &Rc<RefCell<World>>) -> Result<Self, String> {
        let how = "build the filters first: scripts/build-wasm (or: make dist)";
        let bytes = std::fs::read(file).map_err(|err| format!("{}: {err}; {how}", file.display()))?;
        Self::new(filter, &bytes, world).map_err(|err| format!("{filter}: Kong does not load the module: {err}"))
    }

    fn new(filter: &str, bytes: &[u8], world: &Rc<RefCell<World>>) -> Result<Self, Error> {
        let engine = Engine::default();
        let module = Module::new(&engine, bytes)?;
        let state = State {
            filter: filter.to_owned(),
            world: Rc::clone(world),
            memory: None,
            allocate: None,
            context: 0,
            is_root: true,
            config: Vec::new(),
        };
        let mut store = Store::new(&engine, state);
        let mut linker = Linker::new(&engine);
        imports::link(&mut linker)?;
        wasi::link(&mut linker)?;
        let before = std::mem::replace(&mut world.borrow_mut().step, Step::Loading);
        let instance = linker.instantiate_and_start(&mut store, &module)?;
        let missing = |what: &str| Error::new(format!("it does not export {what}"));
        for export in ["proxy_abi_version_0_2_1", "proxy_on_context_create", "proxy_on_vm_start", "proxy_on_configure"]
        {
            instance.get_func(&store, export).ok_or_else(|| missing(export))?;
        }
        store.data_mut().memory = Some(instance.get_memory(&store, "memory").ok_or_else(|| missing("memory"))?);
        let allocate = instance.get_typed_func(&store, "malloc");
        let allocate = allocate.or_else(|_| instance.get_typed_func(&store, "proxy_on_memory_allocate"));
        store.data_mut().allocate = Some(allocate.map_err(|_| missing("proxy_on_memory_allocate"))?);
        if let Ok(init) = instance.get_typed_func::<(), ()>(&store, "_initialize") {
            init.call(&mut store, ())?;
        }
        world.borrow_mut().step = before;
        Ok(Self { store, instance, next_context: 1 })
    }

    /// Calls an export for a context; the default stands for one that the module does not export.
    fn call<P: WasmParams, R: WasmResults>(&mut self, export: &str, params: P) -> Result<Option<R>, String> {
        if self.instance.get_func(&self.store, export).is_none() {
            return Ok(None);
        }
        let func = self.instance.get_typed_func::<P, R>(&self.store, export);
        let result = func.and_then(|it| it.call(&mut self.store, params));
        result.map(Some).map_err(|err| format!("{} trapped in {export}: {err}", self.store.data().filter))
    }

    fn enter(&mut self, step: Step, context: u32, is_root: bool, config: &[u8]) {
        let state = self.store.data_mut();
        (state.context, state.is_root) = (context, is_root);
        state.config = config.to_vec();
        state.world.borrow_mut().step = step;
    }

    /// Makes a root context and configures it. The order is WasmX's: the VM starts last.
    pub(crate) fn start(&mut self, root: u32, config: &[u8], first: bool) -> Result<(), String> {
        self.enter(Step::Start, root, true, config);
        self.call::<_, ()>("proxy_on_context_create", (root, NO_PARENT))?;
        let refused = |what: &str| {
            format!("{what} answered no: Kong would start all the same and let every request pass unfiltered")
        };
        let size = config.len() as u32;
        if self.call::<_, u32>("proxy_on_configure", (root, size))? != Some(1) {
            return Err(refused("proxy_on_configure"));
        }
        if first && self.call::<_, u32>("proxy_on_vm_start", (root, 0_u32))? != Some(1) {
            return Err(refused("proxy_on_vm_start"));
        }
        Ok(())
    }

    /// Makes the context of one filter in one exchange.
    pub(crate) fn context(&mut self, step: Step, root: u32, config: &[u8]) -> Result<u32, String> {
        let id = self.next_context;
        self.next_context += 1;
        self.enter(step, id, false, config);
        self.call::<_, ()>("proxy_on_context_create", (id, root))?;
        Ok(id)
    }

    /// Shows a context the headers: whether it wants to go on.
    pub(crate) fn headers(&mut self, step: Step, context: u32, count: usize, config: &[u8]) -> Result<bool, String> {
        self.enter(step, context, false, config);
        let export = match step {
            Step::RequestHeaders => "proxy_on_request_headers",
            _ => "proxy_on_response_headers",
        };
        self.goes_on(export, (context, count as u32, 0_u32))
    }

    /// Shows a context a body or a piece of it: whether it wants to go on.
    pub(crate) fn body(
        &mut self,
        step: Step,
        context: u32,
        size: usize,
        end: bool,
        config: &[u8],
    ) -> Result<bool, String> {
        self.enter(step, context, false, config);
        let export = match step {
            Step::RequestBody => "proxy_on_request_body",
            _ => "proxy_on_response_body",
        };
        self.goes_on(export, (context, size as u32, u32::from(end)))
    }

    fn goes_on(&mut self, export: &str, params: (u32, u32, u32)) -> Result<bool, String> {
        match self.call::<_, u32>(export, params)? {
            None | Some(0) => Ok(true),
            Some(1) => Ok(false),
            Some(other) => Err(format!("{export} answered {other}, which is no action")),
        }
    }

    pub(crate) fn answered(
        &mut self,
        context: u32,
        is_root: bool,
        config: &[u8],
        sizes: [u32; 3],
    ) -> Result<(), String> {
        self.enter(Step::CallAnswered, context, is_root, config);
        let [token, headers, body] = sizes;
        self.call::<_, ()>("proxy_on_http_call_response", (context, token, headers, body, 0_u32)).map(|_| ())
    }

    pub(crate) fn tick(&mut self, root: u32, config: &[u8]) -> Result<(), String> {
        self.enter(Step::Tick, root, true, config);
        self.call::<_, ()>("proxy_on_tick", (root,)).map(|_| ())
    }

    /// The end of a context: WasmX calls `done` and `log` together, `delete` after all filters were there.
    pub(crate) fn log(&mut self, context: u32, config: &[u8]) -> Result<(), String> {
        self.enter(Step::Log, context, false, config);
        self.call::<_, u32>("proxy_on_done", (context,))?;
        self.call::<_, ()>("proxy_on_log", (context,)).map(|_| ())
    }

    pub(crate) fn delete(&mut self, context: u32, config: &[u8]) -> Result<(), String> {
        self.enter(Step::Done, context, false, config);
        self.call::<_, ()>("proxy_on_delete", (context,)).map(|_| ())
    }

    /// The size of the instance's memory in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.store.data().memory.map_or(0, |it| it.data_size(&self.store))
    }
}
