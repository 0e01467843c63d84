//! Portolan turns a set of documents into search and cited chat. This is the map, in reading order.

pub mod types;

pub mod error;

pub mod index;
