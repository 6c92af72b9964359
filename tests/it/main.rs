//! The tests of the whole: everything runs for real, against a fake GitHub over HTTP.

mod contract;
