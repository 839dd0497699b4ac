BEGIN TRANSACTION;
CREATE TABLE calamity_lab_schema (
	version INTEGER NOT NULL
);
INSERT INTO "calamity_lab_schema" VALUES(1);
CREATE TABLE events (
	position INTEGER NOT NULL, 
	stream_id TEXT NOT NULL, 
	stream_version INTEGER NOT NULL, 
	event_id TEXT NOT NULL, 
	event_type TEXT NOT NULL, 
	type_version INTEGER NOT NULL, 
	correlation_id TEXT NOT NULL, 
	causation_id TEXT, 
	recorded_at TEXT NOT NULL, 
	metadata TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	PRIMARY KEY (position), 
	UNIQUE (stream_id, stream_version), 
	UNIQUE (event_id)
);
INSERT INTO "events" VALUES(1,'BankAccount-ada',1,'bae9812a-b8f2-42d5-805d-d336b4c5ea7d','AccountCreated',1,'f284bea2-f746-3a52-8626-1a39b4d8410e','f284bea2-f746-3a52-8626-1a39b4d8410e','2026-01-01 00:00:00.000000+00:00','{"command":"CreateAccount"}','{"account_id":"ada","name":null}');
INSERT INTO "events" VALUES(2,'BankAccount-böb 😀',1,'795a9f3e-fc82-7a5b-5ded-e2311ec95f32','AccountCreated',1,'ecc54563-5728-7c3b-c61e-d56ab073af31','ecc54563-5728-7c3b-c61e-d56ab073af31','2026-01-01 00:00:01.000000+00:00','{"command":"CreateAccount"}','{"account_id":"böb 😀","name":null}');
INSERT INTO "events" VALUES(3,'BankAccount-ada',2,'1ea450fb-6737-88ef-cf56-0302b23e1a4b','FundsDeposited',1,'4949e56f-afeb-be26-18c1-611864f5d320','4949e56f-afeb-be26-18c1-611864f5d320','2026-01-01 00:00:02.000000+00:00','{"command":"DepositFunds"}','{"account_id":"ada","amount":100,"transfer_id":null}');
INSERT INTO "events" VALUES(4,'BankAccount-ada',3,'c99507d6-23e3-9766-acc3-f06726936c11','TransferInitiated',1,'d64fdc2b-0659-c908-8b9b-c6f8c50aa536','d64fdc2b-0659-c908-8b9b-c6f8c50aa536','2026-01-01 00:00:03.000000+00:00','{"command":"RequestTransfer"}','{"transfer_id":"t1","from_account":"ada","to_account":"böb 😀","amount":40}');
INSERT INTO "events" VALUES(5,'BankAccount-ada',4,'f522cb9d-fbef-eeed-a3ad-255f3a9532c1','FundsWithdrawn',1,'d64fdc2b-0659-c908-8b9b-c6f8c50aa536','d392093a-ac39-13e5-ede5-228aa31efe36','2026-01-01 00:00:04.000000+00:00','{"command":"WithdrawFunds","process_manager":"Transfer-t1"}','{"account_id":"ada","amount":40,"transfer_id":"t1"}');
INSERT INTO "events" VALUES(6,'BankAccount-böb 😀',2,'2634e6f8-1ce2-ee68-e2d9-b9ac7f8a0cf7','FundsDeposited',1,'d64fdc2b-0659-c908-8b9b-c6f8c50aa536','373ae24d-8372-6051-8a72-69f68fe7653c','2026-01-01 00:00:05.000000+00:00','{"command":"DepositFunds","process_manager":"Transfer-t1"}','{"account_id":"böb 😀","amount":40,"transfer_id":"t1"}');
CREATE TABLE snapshots (
	stream_id TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	event_id TEXT NOT NULL, 
	shape TEXT NOT NULL, 
	state TEXT NOT NULL, 
	PRIMARY KEY (stream_id)
);
INSERT INTO "snapshots" VALUES('BankAccount-ada',4,5,'f522cb9d-fbef-eeed-a3ad-255f3a9532c1','BankAccount e9ecbbabd11f69631cd34ae8','{"account_id":"ada","balance":60,"name":null,"status":"open"}');
INSERT INTO "snapshots" VALUES('BankAccount-böb 😀',2,6,'2634e6f8-1ce2-ee68-e2d9-b9ac7f8a0cf7','BankAccount e9ecbbabd11f69631cd34ae8','{"account_id":"böb 😀","balance":40,"name":null,"status":"open"}');
COMMIT;
