//! One module a message, and what holds for all of them.

mod access;
mod admin;
mod bonds;
mod bounties;
mod commit;
mod common;
mod conservation;
mod create_datanet;
mod curate;
mod edit;
mod expire_commit;
mod grant_key;
mod migrate;
mod permissions;
mod queries;
mod release_bonds;
mod reveal;
mod rotate_key;
mod seal;
mod state;
mod storage;
mod training;
mod verdicts;
mod withdraw;
