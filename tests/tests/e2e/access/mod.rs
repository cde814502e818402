//! Access: who may do what at a real watchdog; what browsers, strangers and the hasty get; what is told of whom.

mod browser;
mod guards;
mod noise;
mod roles;
mod secrets;
