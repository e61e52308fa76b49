//! The host functions of proxy-wasm ABI 0.2.1, as WasmX behaves.
//!
//! One that WasmX does not have, or has with another signature, is not linked, so that a module
//! which imports it fails to load, as it does in Kong.

mod buffers;
mod calls;
mod maps;
mod rest;

use crate::{vm::State, world::Step};
use wasmi::{Caller, Error, Linker};

pub(crate) type Host<'a> = Caller<'a, State>;
pub(crate) type Status = Result<u32, Error>;

pub(crate) const OK: u32 = 0;
pub(crate) const NOT_FOUND: u32 = 1;
pub(crate) const BAD_ARGUMENT: u32 = 2;
pub(crate) const CAS_MISMATCH: u32 = 8;
pub(crate) const INTERNAL_FAILURE: u32 = 10;

/// Where the caller wants a result: the address of a pointer and of a length.
#[derive(Clone, Copy)]
pub(crate) struct Out {
    pub(crate) data: u32,
    pub(crate) len: u32,
}

pub(crate) fn link(linker: &mut Linker<State>) -> Result<(), Error> {
    buffers::link(linker)?;
    maps::link(linker)?;
    calls::link(linker)?;
    rest::link(linker)
}

/// A trap, with what Kong would make of it.
pub(crate) fn trap<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::new(why.into()))
}

/// Refuses host calls while the module is still being loaded, and tells the running step.
pub(crate) fn step(host: &Host) -> Result<Step, Error> {
    match host.data().world.borrow().step {
        Step::Loading => trap("a host call in _initialize: Kong's worker crashes"),
        step => Ok(step),
    }
}

pub(crate) fn read(host: &Host, at: u32, len: u32) -> Result<Vec<u8>, Error> {
    let memory = host.data().memory.expect("an instance with memory");
    let bytes = memory.data(host).get(at as usize..).and_then(|it| it.get(..len as usize));
    bytes.map(<[u8]>::to_vec).ok_or_else(|| Error::new("a slice that is outside of the memory".to_owned()))
}

pub(crate) fn write(host: &mut Host, at: u32, bytes: &[u8]) -> Result<(), Error> {
    let memory = host.data().memory.expect("an instance with memory");
    memory.write(host, at as usize, bytes).map_err(|err| Error::new(format!("a result outside of the memory: {err}")))
}

/// Hands bytes over in memory that the module allocates for it.
pub(crate) fn give(host: &mut Host, bytes: &[u8], out: Out) -> Status {
    let allocate = host.data().allocate.expect("an instance with an allocator");
    let at = allocate.call(&mut *host, bytes.len() as u32)?;
    if at == 0 {
        return Ok(INTERNAL_FAILURE);
    }
    write(host, at, bytes)?;
    write(host, out.data, &at.to_le_bytes())?;
    write(host, out.len, &(bytes.len() as u32).to_le_bytes())?;
    Ok(OK)
}

/// Writes a map in the ABI's form.
pub(crate) fn encode(pairs: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = (pairs.len() as u32).to_le_bytes().to_vec();
    for (name, value) in pairs {
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in pairs {
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.extend(value);
        bytes.push(0);
    }
    bytes
}

/// Reads a map in the ABI's form; an empty slice is an empty map.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let torn = || Error::new("a map that is torn".to_owned());
    let number = |at: usize| {
        let four = bytes.get(at..at + 4).ok_or_else(torn)?;
        Ok::<_, Error>(u32::from_le_bytes(four.try_into().expect("four bytes")) as usize)
    };
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let count = number(0)?;
    let mut at = 4 + count * 8;
    let mut pairs = Vec::new();
    for index in 0..count {
        let (name, value) = (number(4 + index * 8)?, number(8 + index * 8)?);
        let text = bytes.get(at..at + name).ok_or_else(torn)?;
        let value_at = at + name + 1;
        let content = bytes.get(value_at..value_at + value).ok_or_else(torn)?;
        pairs.push((String::from_utf8_lossy(text).into_owned(), content.to_vec()));
        at = value_at + value + 1;
    }
    Ok(pairs)
}
