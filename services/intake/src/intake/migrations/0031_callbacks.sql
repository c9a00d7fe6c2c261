-- Where the customer is called, in E.164. Nobody else has it: facts carry a keyed digest.
ALTER TABLE ticket ADD COLUMN phone_number text;
