//! The order of Kong's callbacks.
//!
//! In every phase the filters run in the order of the chain, in the response too: WasmX does not turn
//! it round. A request's body comes once, whole, after the headers; a response's pieces as they are
//! read from the upstream.

use crate::{
    exchange::{Exchange, LocalReply, Piece},
    fields::Fields,
    kong::{Interlude, Kong},
    message::{Answer, CallAnswer, CallOut, Ending, Request, UpstreamRequest, UpstreamResponse},
    world::{Pending, Step},
};

/// A filter of a chain.
#[derive(Debug, Clone)]
pub(crate) struct Plugin {
    pub(crate) filter: String,
    /// The number of its root context.
    pub(crate) root: u32,
    pub(crate) config: Vec<u8>,
}

type Upstream<'a> = &'a mut dyn FnMut(&UpstreamRequest) -> UpstreamResponse;
type Service<'a> = &'a mut dyn FnMut(&CallOut) -> CallAnswer;

/// A request on its way.
struct Run<'a> {
    kong: &'a mut Kong,
    plugins: &'a [Plugin],
    /// The context of each filter, made when it is first called.
    contexts: Vec<Option<u32>>,
    service: Service<'a>,
}

pub(crate) fn run(
    kong: &mut Kong,
    plugins: &[Plugin],
    route: &str,
    request: Request,
    upstream: Upstream,
    service: Service,
) -> Result<Answer, String> {
    kong.world.borrow_mut().exchange = Some(Exchange::new(request, route));
    let contexts = vec![None; plugins.len()];
    let mut run = Run { kong, plugins, contexts, service };
    run.request()?;
    let response = match run.with(|it| it.local.clone()) {
        Some(reply) => local_response(reply),
        None => upstream(&run.with(upstream_request)),
    };
    let answer = run.response(response)?;
    run.end()?;
    Ok(answer)
}

/// A tick of every root context of a filter, and the answers to what it asks.
pub(crate) fn tick(kong: &mut Kong, filter: &str, service: Service) -> Result<(), String> {
    for (root, config) in kong.roots(filter) {
        if !kong.world.borrow().ticks.contains_key(&(filter.to_owned(), root)) {
            return Err(format!("{filter} asked for no ticks"));
        }
        let vm = kong.vms.get_mut(filter).expect("a VM that was loaded");
        vm.tick(root, &config)?;
        while let Some(pending) = next_pending(kong) {
            answer(kong, &pending, true, &config, service)?;
        }
    }
    Ok(())
}

fn next_pending(kong: &mut Kong) -> Option<Pending> {
    let mut world = kong.world.borrow_mut();
    (!world.pending.is_empty()).then(|| world.pending.remove(0))
}

/// Hands a call-out's answer to who asked. A call that failed has no header and no byte.
fn answer(
    kong: &mut Kong,
    pending: &Pending,
    is_root: bool,
    config: &[u8],
    service: &mut dyn FnMut(&CallOut) -> CallAnswer,
) -> Result<(), String> {
    if let Some(other) = kong.interludes.0.pop() {
        interlude(kong, other, service)?;
    }
    let answer = service(&pending.call);
    let (headers, body) = match &answer {
        CallAnswer::Http { headers, body, .. } => (headers.len() + 1, body.len()),
        CallAnswer::Failed => (0, 0),
    };
    kong.world.borrow_mut().answer = Some(answer);
    let vm = kong.vms.get_mut(&pending.call.filter).expect("a VM that was loaded");
    vm.answered(pending.context, is_root, config, [pending.token, headers as u32, body as u32])?;
    kong.world.borrow_mut().answer = None;
    Ok(())
}

/// Runs another request from its beginning to its end while one waits.
fn interlude(
    kong: &mut Kong,
    mut other: Interlude,
    service: &mut dyn FnMut(&CallOut) -> CallAnswer,
) -> Result<(), String> {
    let (exchange, pending) = {
        let mut world = kong.world.borrow_mut();
        (world.exchange.take(), std::mem::take(&mut world.pending))
    };
    let plugins = kong.plugins(&other.chain);
    let mut upstream = |sent: &UpstreamRequest| {
        other.sent = Some(sent.clone());
        other.response.clone()
    };
    let answer = run(kong, &plugins, &other.chain, other.request.clone(), &mut upstream, service)?;
    other.answer = Some(answer);
    kong.interludes.1.push(other);
    let mut world = kong.world.borrow_mut();
    (world.exchange, world.pending) = (exchange, pending);
    Ok(())
}

impl Run<'_> {
    fn with<R>(&self, look: impl FnOnce(&Exchange) -> R) -> R {
        look(self.kong.world.borrow().exchange.as_ref().expect("an exchange"))
    }

    fn change<R>(&self, change: impl FnOnce(&mut Exchange) -> R) -> R {
        change(self.kong.world.borrow_mut().exchange.as_mut().expect("an exchange"))
    }

    /// The filter and its context at a place of the chain.
    fn enter(&mut self, index: usize, step: Step) -> Result<(Plugin, u32), String> {
        let plugin = self.plugins[index].clone();
        let context = match self.contexts[index] {
            Some(context) => context,
            None => self.vm(&plugin).context(step, plugin.root, &plugin.config)?,
        };
        self.contexts[index] = Some(context);
        Ok((plugin, context))
    }

    fn vm(&mut self, plugin: &Plugin) -> &mut crate::vm::Vm {
        self.kong.vms.get_mut(&plugin.filter).expect("a VM that was loaded")
    }

    fn request(&mut self) -> Result<(), String> {
        for index in 0..self.plugins.len() {
            let (plugin, context) = self.enter(index, Step::RequestHeaders)?;
            let count = self.with(|it| it.request.visible().count());
            let goes_on = self.vm(&plugin).headers(Step::RequestHeaders, context, count, &plugin.config)?;
            if self.settle(&plugin, goes_on, "the request's headers")? {
                return Ok(());
            }
        }
        let size = self.with(|it| it.body.len());
        if size == 0 {
            return Ok(());
        }
        for index in 0..self.plugins.len() {
            let (plugin, context) = self.enter(index, Step::RequestBody)?;
            let size = self.with(|it| it.body.len());
            let goes_on = self.vm(&plugin).body(Step::RequestBody, context, size, true, &plugin.config)?;
            if self.settle(&plugin, goes_on, "the request's body")? {
                return Ok(());
            }
        }
        let torn = self.with(|it| it.called_in_body && !it.chunked && it.body.len() != it.client_length);
        if torn {
            return Err("a call-out while the body was at hand, and a body of another length: Kong sends the \
                 client's content-length and tears the request apart"
                .to_owned());
        }
        Ok(())
    }

    /// After a request callback: waits for the call-outs. `true` when a filter answered the request.
    fn settle(&mut self, plugin: &Plugin, goes_on: bool, place: &str) -> Result<bool, String> {
        let filter = &plugin.filter;
        let (answered, waits) = (self.with(|it| it.local.is_some()), !self.kong.world.borrow().pending.is_empty());
        if answered {
            self.kong.world.borrow_mut().pending.clear();
            return Ok(true);
        }
        match (goes_on, waits) {
            (true, true) => return Err(format!("{filter} asked in {place} and went on: Kong's worker crashes")),
            (false, false) => {
                return Err(format!("{filter} paused in {place} and waits for nothing: the request hangs"));
            }
            _ => {}
        }
        while let Some(pending) = next_pending(self.kong) {
            answer(self.kong, &pending, false, &plugin.config, self.service)?;
            if self.with(|it| it.local.is_some()) {
                self.kong.world.borrow_mut().pending.clear();
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn response(&mut self, response: UpstreamResponse) -> Result<Answer, String> {
        let UpstreamResponse { status, headers, pieces, sized, ending } = response;
        self.change(|it| (it.status, it.response) = (status, Fields::new(headers)));
        for index in 0..self.plugins.len() {
            let (plugin, context) = self.enter(index, Step::ResponseHeaders)?;
            let count = self.with(|it| it.response.visible().count());
            if !self.vm(&plugin).headers(Step::ResponseHeaders, context, count, &plugin.config)? {
                return Err(format!("{} paused in the response's headers: Kong goes on", plugin.filter));
            }
        }
        let mut sent = Vec::new();
        for (bytes, end, last) in schedule(pieces, sized, ending) {
            let bytes = self.piece(bytes, end, last)?;
            if !bytes.is_empty() {
                sent.push(bytes);
            }
        }
        let answer = self.with(|it| Answer {
            status: it.status,
            headers: it.response.wire(),
            pieces: sent,
            local: it.local.is_some(),
            ending,
        });
        let declared = answer.header("content-length").map(str::to_owned);
        let length = answer.body().len();
        match declared {
            Some(declared) if ending == Ending::Complete && declared != length.to_string() && !answer.local => {
                Err(format!("content-length says {declared} and the body has {length} bytes: the client hangs"))
            }
            _ => Ok(answer),
        }
    }

    /// Shows a piece to every filter in turn; each sees what the one before made of it.
    fn piece(&mut self, bytes: Vec<u8>, end: bool, last: bool) -> Result<Vec<u8>, String> {
        self.change(|it| it.piece = Piece { bytes, end, replaced: false });
        for index in 0..self.plugins.len() {
            let (plugin, context) = self.enter(index, Step::ResponseBody)?;
            let size = self.with(|it| it.piece.bytes.len());
            let end = self.with(|it| it.piece.end);
            if size == 0 && !end {
                break;
            }
            if !self.vm(&plugin).body(Step::ResponseBody, context, size, end, &plugin.config)? {
                return Err(format!(
                    "{} paused in the response's body: Kong holds a few pages and goes on",
                    plugin.filter
                ));
            }
            if last && self.with(|it| it.piece.replaced && it.piece.bytes.is_empty()) {
                return Err(format!("{} made the last piece of a response empty: the client hangs", plugin.filter));
            }
        }
        Ok(self.change(|it| std::mem::take(&mut it.piece.bytes)))
    }

    fn end(&mut self) -> Result<(), String> {
        for (index, plugin) in self.plugins.iter().enumerate() {
            if let Some(context) = self.contexts[index] {
                self.vm(plugin).log(context, &plugin.config)?;
            }
        }
        for (index, plugin) in self.plugins.iter().enumerate() {
            if let Some(context) = self.contexts[index] {
                self.vm(plugin).delete(context, &plugin.config)?;
            }
        }
        self.kong.world.borrow_mut().exchange = None;
        Ok(())
    }
}

/// The pieces as callbacks: their bytes, what `end_of_stream` says, and whether it is really the last.
/// With a content-length and several pieces, WasmX never says that it is the end.
fn schedule(pieces: Vec<Vec<u8>>, sized: bool, ending: Ending) -> Vec<(Vec<u8>, bool, bool)> {
    let complete = ending == Ending::Complete;
    let count = pieces.len();
    if sized {
        let last = |at: usize| complete && at + 1 == count;
        return pieces.into_iter().enumerate().map(|(at, bytes)| (bytes, count == 1 && complete, last(at))).collect();
    }
    let end = complete.then(|| (Vec::new(), true, true));
    pieces.into_iter().map(|bytes| (bytes, false, false)).chain(end).collect()
}

/// A filter's answer as Kong sends it: with a line feed behind the body.
fn local_response(reply: LocalReply) -> UpstreamResponse {
    let LocalReply { status, mut headers, mut body } = reply;
    if !body.is_empty() {
        body.push(b'\n');
    }
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    headers.push(("Content-Length".to_owned(), body.len().to_string().into_bytes()));
    UpstreamResponse { status, headers, pieces: vec![body], sized: true, ending: Ending::Complete }
}

/// What goes out: hidden fields too, the length of the body as it is, path and host from Kong's own variables.
fn upstream_request(exchange: &Exchange) -> UpstreamRequest {
    let property = |name: &str| String::from_utf8_lossy(&exchange.properties[name]).into_owned();
    let mut headers = exchange.request.wire();
    headers.retain(|(name, _)| !["host", "content-length"].contains(&name.to_ascii_lowercase().as_str()));
    if !exchange.body.is_empty() && !exchange.chunked {
        headers.push(("Content-Length".to_owned(), exchange.body.len().to_string().into_bytes()));
    }
    UpstreamRequest {
        method: exchange.method.clone(),
        path: property("ngx.upstream_uri"),
        host: property("ngx.upstream_host"),
        headers,
        body: exchange.body.clone(),
    }
}
