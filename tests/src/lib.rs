//! The specification of pgqueuer: see the modules.
