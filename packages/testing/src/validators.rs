//! Validators of the simulated chain.

use cosmwasm_std::{coin, Addr, Decimal, StakingMsg, Validator};
use cw_multi_test::Executor;
use cw_storage_plus::Deque;
use openledger_contract::validator::operator_address;

use crate::World;

/// What a new validator's operator delegates to it, in base units.
pub const SELF_DELEGATION: u128 = 1_000_000_000_000;

/// Where cw-multi-test's staking module keeps its storage.
const STAKING: &[u8] = b"staking";

/// Its list of the bonded set.
const BONDED: Deque<Validator> = Deque::new("validators");

impl World {
    /// Adds a validator to the bonded set; its operator, the account of this name, delegates
    /// [`SELF_DELEGATION`] to it, or what a chain that runs asks for.
    pub fn add_validator(&mut self, name: &str) -> Addr {
        let operator = self.account(name);
        if let Some(chain) = &mut self.chain {
            chain.add_validator(&operator);
            return operator;
        }
        let (validator, block) = (bonded(valoper(&operator)), self.app.block_info());
        self.app
            .init_modules(|router, api, storage| {
                router.staking.add_validator(api, storage, &block, validator)
            })
            .expect("one validator a name");
        self.mint(&operator, coin(SELF_DELEGATION, self.denom.clone()));
        self.delegate(&operator, SELF_DELEGATION);
        operator
    }

    /// Raises a validator's self-delegation.
    pub fn delegate(&mut self, operator: &Addr, amount: u128) {
        let amount = coin(amount, self.denom.clone());
        let msg = StakingMsg::Delegate { validator: valoper(operator), amount };
        self.app.execute(operator.clone(), msg.into()).expect("the operator has the coins");
    }

    /// Lowers a validator's self-delegation.
    pub fn undelegate(&mut self, operator: &Addr, amount: u128) {
        let amount = coin(amount, self.denom.clone());
        let msg = StakingMsg::Undelegate { validator: valoper(operator), amount };
        self.app.execute(operator.clone(), msg.into()).expect("so much is delegated");
    }

    /// Takes a validator out of the bonded set, as the chain does with one that is jailed or has too
    /// little stake; delegations stay.
    pub fn drop_validator(&mut self, operator: &Addr) {
        let gone = valoper(operator);
        let mut staking = self.app.prefixed_storage_mut(STAKING);
        for _ in 0..BONDED.len(&*staking).expect("the list has a length") {
            let validator = BONDED.pop_front(&mut *staking).expect("the list can be read");
            if let Some(other) = validator.filter(|validator| validator.address != gone) {
                BONDED.push_back(&mut *staking, &other).expect("the list can be written");
            }
        }
    }

    /// Puts a validator that was dropped back into the bonded set.
    pub fn restore_validator(&mut self, operator: &Addr) {
        let validator = bonded(valoper(operator));
        let mut staking = self.app.prefixed_storage_mut(STAKING);
        BONDED.push_back(&mut *staking, &validator).expect("the list can be written");
    }
}

/// A validator with this operator address.
fn bonded(address: String) -> Validator {
    Validator::create(address, Decimal::percent(10), Decimal::one(), Decimal::one())
}

fn valoper(operator: &Addr) -> String {
    operator_address(operator.as_str()).expect("accounts of this world are bech32")
}
