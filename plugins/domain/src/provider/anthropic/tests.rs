//! The tables of the three directions.

mod request;
mod response;
mod stream;
