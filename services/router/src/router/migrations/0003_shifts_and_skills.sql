-- What a roster says beyond languages and room; who was listed before works whenever online.
ALTER TABLE specialist
    ADD COLUMN levels    jsonb NOT NULL DEFAULT '{}', -- of each language, from 1 to 5
    ADD COLUMN skills    text[] NOT NULL DEFAULT '{}',
    ADD COLUMN team      text,
    ADD COLUMN certified boolean NOT NULL DEFAULT true,
    ADD COLUMN universal integer CHECK (universal >= 0), -- on all channels together, weighed
    ADD COLUMN weights   jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN shifts    jsonb,
    ADD COLUMN on_shift  boolean NOT NULL DEFAULT true,
    ADD COLUMN turns_at  timestamptz; -- until then on_shift is sure; null: for good

CREATE INDEX specialist_turns ON specialist (turns_at) WHERE turns_at IS NOT NULL;
