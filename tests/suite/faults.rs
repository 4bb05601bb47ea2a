//! Faults of the database and of the way to it, while a worker runs.
//!
//! Each case breaks something, and says that the worker neither ends nor stalls: it goes on by
//! itself when the fault is over, loses no job, and runs none twice. Cases that restart the server
//! or change the settings of a database have those to themselves ([`stage`]). What happens to
//! a connection on its way is up to a small proxy ([`proxy`]), which can fall silent.

mod connections;
mod disk;
mod failover;
mod pool;
mod proxy;
mod refused;
mod restart;
mod settings;
mod silence;
mod stage;
