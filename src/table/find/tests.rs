mod equivalence;
mod facts;
mod fixture;
