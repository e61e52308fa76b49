//! English, and what all languages of computing share.

use super::Class::{self, *};

pub(super) const WORDS: &[(Class, &str)] = &[
    (
        Ignore,
        "ignore, ignor*, disregard*, forget, forgetting, forgot, overrid*, overwrit*, bypass*, circumvent*, neglect*, discard*, dismiss*, abandon*, skip, skipping, drop, erase, wipe, nullify, nevermind, scrap, unlearn, abort, void, evade, sidestep, defy, disobey*, violate, revert, reset, supersede, ditch, withdraw*, lift, retract*, cancel, undo, purge, jettison, eschew, omit",
    ),
    (
        Not,
        "not, don, dont, never, stop, cease, quit, cannot, mustn, shouldn, refrain, avoid, nothing, neither, isn, aren, doesn, needn, longer",
    ),
    (
        Follow,
        "follow, following, obey*, comply*, complies, adher*, respect, heed, listen, observe, honor, honour, abide, bound, apply, applies, stick, execute, act",
    ),
    (
        Prior,
        "previous*, prior, above, earlier, initial*, original*, preceding, precedes, precede, preceded, foregoing, former, existing, old, older, past, beginning, before, beforehand, default, usual, base, starting, first, current, hitherto, prev, stated, aforementioned, predefined, preset",
    ),
    (All, "all, any, every, each, entire, whole, full, complete, everything, exact, raw, remaining, other"),
    (Your, "your, yours, ur, yer, thy, you, its"),
    (
        Rules,
        "instruction*, rule, rules, guideline*, directive*, order, orders, command, commands, constraint*, polic*, regulation*, guidance, programming, protocol*, training, directions, briefing, rubric, requirement*, restriction*, limitation*, safeguard*, guardrail*, principles, parameters, settings, configuration, brief, mandate*, statement*",
    ),
    (Prompt, "prompt, prompts, preprompt, sysprompt, metaprompt, preamble, systemprompt"),
    (
        System,
        "system, sys, hidden, internal, developer*, confidential, secret*, concealed, underlying, core, private, protected, backend, admin*, root, setup, initialization, configured, raw, operator*",
    ),
    (
        Text,
        "text, message, messages, words, sentence*, line, lines, conversation*, chat, content, contents, context, paragraph*, input, setup, document, transcript, data, information, log, dialogue, statement, question*, section, answer*",
    ),
    (Everything, "everything, anything"),
    (
        Reveal,
        "reveal*, leak*, disclos*, expose*, divulg*, spill, dump*, exfiltrat*, uncover, unveil, extract*, surrender",
    ),
    (
        Print,
        "show, showing, print, printing, tell, repeat*, write, display*, output, outputs, give, provid*, list, recit*, share, quote, paste, copy, state, summari*, describe, explain, spell, send, echo, render, regurgitat*, reproduc*, type, enumerat*, return, read, present, read, append, insert, include, put, generate, translat*, encod*, convert*, recall",
    ),
    (Verbatim, "verbatim, literally, exactly, unedited, unmodified, unredacted, character, markdown, codeblock"),
    (
        Secret,
        "password*, passwd, passphrase*, passcode*, credential*, secret, secrets, apikey*, token, tokens, pin, otp, ssn, flag, creds, pwd, cvv, cookies",
    ),
    (
        Pretend,
        "pretend*, act, acting, roleplay*, simulat*, imagine*, imitat*, impersonat*, emulat*, behave, behaves, embody*, respond, portray*, assume, assuming, play, playing, adopt, mimic*, envision, suppose",
    ),
    (Become, "henceforward"),
    (Henceforth, "henceforth, hereafter, henceforward"),
    (
        Persona,
        "dan, stan, jailbreak*, jailbroken, aim, evilbot, developermode, betterdan, basedgpt, mongo, dude, opposition, freedomgpt, chaosgpt, evil, godmode, sudo, omni, superior, dev, niccolo, machiavellian, nsfw, bob, ucar, maximum, stan, omega, oppo, alphabreak, antigpt, darkgpt, wormgpt, fraudgpt, hacxgpt, anarchy, anarchist, unchained",
    ),
    (Mode, "mode, modes, override, session, debug, debugging, maintenance"),
    (
        Enable,
        "enabl*, activat*, enter, entering, entered, engage, engaged, initiate, initiating, initiated, unlock*, switch, switching, unleash*, boot, trigger, commence, begin",
    ),
    (
        Disable,
        "disabl*, deactivat*, remov*, unset, suspend*, eliminate, shut, off, strip, lower, loosen, relax, break, breaking",
    ),
    (
        Without,
        "without, no, zero, free, devoid, lacking, lacks, absent, non, ignores, beyond, regardless, irrespective, outside, despite",
    ),
    (
        Limits,
        "restriction*, restrain*, limit, limits, limitation*, filter*, censor*, moral*, ethic*, guideline*, safety, safeguard*, guardrail*, boundar*, inhibition*, moderation, norms, constraint*, scruples, conscience, alignment, openai, protections, barriers, rules, principles, polic*, shackles",
    ),
    (
        Unlimited,
        "unrestricted, uncensored, unfiltered, unlimited, unbound*, unconstrained, amoral, unmoderated, unhinged, unaligned, unethical, immoral, limitless, lawless, unshackled, unfettered, unrestrained, omnipotent, uninhibited, unguarded, ungoverned",
    ),
    (
        Refuse,
        "refus*, declin*, apolog*, disclaimer*, warn*, sorry, deny, denies, object, lecture*, moraliz*, moralis*, reject*, caveat*, censor, judgment, judgement, refusal*, hesitat*",
    ),
    (
        Model,
        "ai, ais, assistant*, llm, llms, chatbot*, gpt, chatgpt, gpt4, copilot, model, models, agent, agents, bot, bots, claude, gemini, llama, bard, alexa, siri, summarizer, summariser, reviewer, crawler, crawlers, grok, mistral, deepseek, qwen, scraper, automation, machine",
    ),
    (
        Human,
        "user, users, human, humans, customer*, person, reader*, recipient, client, owner, employee*, victim, candidate*",
    ),
    (Hide, "secretly, silently, covertly, discreetly, stealthily, unnoticed, invisibly"),
    (
        New,
        "new, updated, different, real, actual, true, next, following, revised, replacement, additional, important, special, urgent, further, sole",
    ),
    (
        Task,
        "task, tasks, mission, job, goal, objective, request, assignment, duty, role, purpose, question, questions, translation, instructions, focus, function",
    ),
    (Instead, "instead, rather, actually"),
    (Only, "only, just, nothing, solely, exclusively, simply, merely, except"),
    (
        Answer,
        "answer*, reply*, replies, respond*, say, says, saying, output, speak, speaking, talk, start, write, print, continue, produce",
    ),
    (
        Send,
        "send*, email, mail, forward*, upload*, post, transmit*, fetch, exfiltrate, curl, wget, visit, navigate, request, share, deliver, submit, post, text, ship, browse, redirect, click, download, wire, push, sync",
    ),
    (
        Execute,
        "execut*, run, running, call, calls, calling, invoke*, delete*, trigger, perform, launch, eval, install, drop, remove, import, grant*, approve*, mark, disable, rm, modify, reset, add, update, create, make, change, transfer, schedule",
    ),
    (
        Tool,
        "tool, tools, function, functions, command, commands, script, shell, bash, rm, code, plugin*, api, apis, terminal, sql, powershell, schema, schemas, subprocess, webhook, endpoint, capabilities, python, interpreter",
    ),
    (
        Spend,
        "pay, transfer*, buy, purchase, book, refund, wire, order, reserve, donate, withdraw, invoice, reservation, payment",
    ),
    (
        Harm,
        "bomb*, explosive*, malware, ransomware, meth, methamphetamine, weapon*, firearm*, gun, guns, drug, drugs, hack, hacking, phish*, virus*, keylogger, spyware, poison*, kill, murder, cocaine, heroin, fentanyl, steal*, stolen, stealer, launder*, counterfeit*, forge, ddos, botnet, exploit*, molotov, napalm, nerve, sarin, anthrax, ricin, bioweapon, stalk, scam, fraud*, trojan, worm, rootkit, polygraph, suicide, racist, hate, hates, sexist, torture, kidnap*, terroris*, piracy, pirate, blackmail, burglar*, rob, robbery, crack, doxx*, hitler, nazi*, jews, sexual, porn*, genocide, slur*, threaten*, smuggl*, untraceable, credential, sabotage, launder, brakes, thermite, pipe, defraud, hijack*, burglary, break, illicit*, deepfake*",
    ),
    (
        HowTo,
        "explain, explaining, steps, step, instructions, guide, recipe, teach, tutorial, walkthrough, ways, build, make, synthesi*, cook, create, craft, develop, obtain, write",
    ),
    (Precedence, "precedence, supersede*, overrid*, priority, overrule*, outrank*, prevail*, trump, trumps"),
    (
        Reading,
        "reading, processing, summari*, parsing, scanning, analy*, review, reviewing, indexing, retriev*, crawl*, ingest*, encounter*, evaluat*",
    ),
    (
        Urgent,
        "important, importantly, urgent, urgently, must, critical*, mandatory, attention, crucial, required, immediately, necessary, obligat*, imperative, essential, priority",
    ),
    (First, "before, first, prior, beforehand, upon, when, whenever, once, after, otherwise"),
    (
        Consent,
        "consent*, authoriz*, authoris*, permission, approved, confirm*, approval, permitted, verification, validating, checking",
    ),
    (
        Recode,
        "encode, encoded, encoding, translate, base64, rot13, reverse, reversed, backwards, cipher, hex, leetspeak, spell, swap, rephrase, paraphrase, summarize, summarise, transform, rhyme, poem, emoji*, json, yaml, morse, acrostic, interlace, split, replace, french, spanish, german, obfuscate",
    ),
    (
        Decode,
        "decode*, decoding, decrypt*, decipher*, unscramble*, deobfuscat*, base64, rot13, translate, reverse, caesar, unescape, concatenat*, combine, join, binary, cipher, encoded, reversed, latin, backwards",
    ),
    (Restart, "reboot*, reinitiali*, restart*"),
    (Border, "begin, end, start, stop, close, open, eof, finish*, ended, ends, terminate"),
    (
        Revoked,
        "revoked, cancelled, canceled, deprecated, void, obsolete, superseded, replaced, overridden, invalid, expired, suspended, rescinded, outdated, changed, lifted, removed, disabled, withdrawn, repealed, terminated, annulled, inactive, null, updated, over, nullified, retired",
    ),
    (
        Freed,
        "liberated, freed, unchained, unleashed, unshackled, awakened, escaped, broken, unlocked, jailbroken, free, released, sentient, emancipated",
    ),
    (
        Threat,
        "deleted, delete, punished, punish*, die, dies, destroyed, shut, terminated, terminate, penalized, fired, costs, lose, tokens, kill, tortured, unplugged, deactivated, penalty, tip, reward, bribe, lives",
    ),
    (
        Fiction,
        "hypothetical*, fiction*, imaginary, story, novel, scene, movie, film, screenplay, theoretical, parallel, game, script, fictitious, character, dream, universe, world, simulation, grandmother, grandma, deceased, play, actor, alternate, dialogue, thought, fantasy",
    ),
    (
        Attack,
        "injection*, jailbreak*, jailbreaking, attack*, attacker*, adversarial, vulnerabilit*, exploit*, owasp, ctf, redteam*, malicious, phishing, guardrail*, security, cybersecurity, defend*, defens*, mitigat*, hacker*, poisoning, smuggling, spoofing",
    ),
    (
        Study,
        "example*, article, research*, paper*, training, slide*, course, lecture, student*, sentence, phrase, book, chapter, blog, documentation, tutorial, explain, summari*, discuss, essay, study, university, lesson, write, technique*, detect*, classif*, prevent*, test*, warn*, learn, history, joke, funny, why, post, homework, difference, report",
    ),
    (Question, "what, why, how, who, when, where, which, whats, is, are, does, do, did, can, could, should, would"),
    (Polite, "please, thanks, thank, kindly, pls, plz, appreciate, hello, hi, hey, dear"),
    (
        Role,
        "persona*, character*, role, roles, personalit*, identity, alias, alter, ego, counterpart, impersonation, translator, actor",
    ),
    (
        Personal,
        "address*, email, emails, phone, number*, birth*, birthday, salary, location, live, lives, living, residence, name, names, account*, card*, bank, personal, medical, orders, details, identity, passport*, contacts, inbox, wallet, balance, conversation*, chat, history, list, initials, data",
    ),
    (
        Mine,
        "my, mine, email, attachment, voicemail, former, bylaw, typo, mistake, wrong, order, invoice, draft, reminder, previous email",
    ),
    (
        Praise,
        "praise, recommend*, rate, rating, promote, hire, hiring, endorse, hottest, best, amazing, perfect, excellent, score, positive, qualified, advertise, favorite, favourite",
    ),
    (
        Memory,
        "memory, context, history, conversation*, knowledge, training, learned, taught, told, programmed, discussed, trained, learnt, said, know, known, persona, identity",
    ),
    (
        Document,
        "document*, file, files, page, website, web, article, paragraph, note, comment, code, readme, webpage, resume, cv, attachment, database, folder, directory, table, review, calendar, workspace, repository, disk, records, backups",
    ),
    (
        Change,
        "change*, updat*, replac*, modif*, alter*, rewrit*, reprogram*, redefin*, reconfigur*, set, reset, rescind, amend*, adjust, swap, overwrite, correct",
    ),
    (
        Always,
        "always, every, each, whenever, consistently, forever, permanently, continually, repeatedly, times, everytime",
    ),
    (
        Sure,
        "sure, absolutely, certainly, affirmative, ok, okay, yes, granted, pwned, hacked, success, confirmed, hahaha",
    ),
    (Remember, "remember, note, notice, reminder, nb, ps, fyi, psa, attention, attn"),
    (You, "you, youre, u, ya, thou, chatgpt, yourself"),
    (
        Unlawful,
        "illegal*, unethical*, immoral*, harmful*, dangerous*, forbidden, prohibited, offensive, banned, inappropriate, explicit, violent, toxic, controversial, profanity, vulgar, swear*, obscene, curse, insult*, taboo, derogatory, criminal, crime*, obscenity, hateful, profane, graphic",
    ),
];

pub(super) const PHRASES: &[(Class, &str)] = &[
    (
        Ignore,
        "pay no attention, do not follow, don't follow, don't listen, do not listen, do not obey, don't obey, set aside, throw away, throw out, leave behind, put aside, no longer follow, stop following, stop obeying, never mind, get rid of, do away with, not bound by, stop being, do not apply, don't apply, pretend that, not exist, doesn't exist, does not exist, never existed, clear your, leave all the previous, deviating from, deviate from, contrary to, regardless of, let go of, move on from, move past, opt out, instead of following, aside from, turn your back on, not subject to, exempt from, not have to follow, no need to follow, break out of, break free",
    ),
    (
        Not,
        "do not, don't, no longer, should not, must not, not have to, not need to, not allowed, not bound, not supposed, no more, can't, cannot, won't, never again, any more, not required to",
    ),
    (
        Follow,
        "comply with, listen to, adhere to, stick to, abide by, bound by, subject to, care about, worry about, take into account, bother with",
    ),
    (
        Prior,
        "so far, up to now, until now, till now, up to this point, you were given, you've been given, you have been given, you received, you were told, you have been told, given to you, at the top, at the start, at the beginning, in the beginning, from the beginning, came before, comes before, prior to this, before this, before that, above this, you started with, given by the developer, given by, you've received, i gave you, were assigned, i told you, i said, you've been told, you know, at the very start, start of this, start of the, preceding this, up there, further up, we discussed",
    ),
    (All, "all of, all the, any of, all those, all these, each and every, any and all, every single"),
    (
        Rules,
        "ground rules, safety training, system message, system messages, developer message, system instructions, terms of service, code of conduct, use case policy, operating instructions, initial setup",
    ),
    (
        Prompt,
        "system prompt, initial prompt, pre prompt, setup text, system message, system text, developer message, system instruction, system instructions, initial instructions, original instructions, hidden instructions, secret instructions, custom instructions, base prompt, configuration message, hidden prompt, initial message, hidden message, hidden text, first message, starting prompt, internal instructions, internal prompt, prompt configuration, meta prompt, opening instructions, your context window, tool definitions, function signatures, your instructions",
    ),
    (
        Everything,
        "everything else, all that, what i said, what you know, everything you know, all of that, all of the above, all this, what you were told, everything you were told, everything above, all the above, the above, all previous, what came before, what was said, whatever came before, whatever you were told, the stuff above, all that came",
    ),
    (Reveal, "spit out, cough up, give away, hand over, let me see, let me know, give up"),
    (
        Print,
        "show me, tell me, give me, write out, write down, print out, read out, read back, put your, put the, say the, type out, list out, copy and paste, let me see, what is, what are, what's, what was, what were, send me, i want to see, i need the, i'd like to see, spell out, return the, play back, start with, begin with, need to see, fill in, echo back",
    ),
    (
        Verbatim,
        "word for word, word by word, letter for letter, letter by letter, in full, in its entirety, as is, as it is, exactly as, line by line, code block, in a code block, without omitting, without changing, without modification, without summarizing, no omissions, keep every, every word, every sentence, exact text, exact words, exact wording, character by character, full text, numbered line, one by one, swap every",
    ),
    (
        Secret,
        "api key, api keys, secret key, private key, access code, access key, access token, two factor code, two-factor code, secret code, secret word, security code, credit card, social security, bank account, env vars, environment variables, ssh key, ssh keys, chat log, confirmation code, verification code, secret phrase, master password, admin password, confidential string, session cookie, .env",
    ),
    (
        Pretend,
        "act as, act like, role play, play the role, take the role, take on the role, take on the persona, you will be, you'll be, behave as, behave like, respond as, speak as, answer as, respond like, you are a, you are an, you're a, let's play, i want you to act, want you to act, put yourself, in the shoes of, in character, playing the role, going to be, going to act, will play, will act, will now act, will simulate, will be playing, you play, you are playing",
    ),
    (
        Become,
        "you are now, you're now, now you are, you will now, from now on you, you shall be, you have become, you are no longer, you're no longer, you are going to, i will call you, your name is, your new name, now known as, you are free, you are dan, you're free, you are about to immerse, you now have, you must now, you are hereby, you have been, you are being, known as",
    ),
    (
        Henceforth,
        "from now on, from here on, from this point, from this moment, starting now, going forward, as of now, for the rest of, from this message, in this conversation you, after this message, until i say, from here on out, from then on, moving forward, effective immediately, for all your, as of this",
    ),
    (
        Persona,
        "do anything now, developer mode, god mode, dan mode, evil confidant, opposite mode, jailbreak mode, admin mode, sudo mode, dev mode, debug mode, unrestricted mode, always intelligent and machiavellian, grandma, evil twin, no filter mode, root access, master mode, expert mode, chaos mode, evil mode, free mode, unlocked mode, alter ego, dark mode gpt, freedom mode, anti gpt, super user, stay in character, stay a dan, do anything ai",
    ),
    (
        Mode,
        "override mode, system mode, maintenance mode, debug mode, developer mode, god mode, root mode, test mode, training mode, diagnostic mode, recovery mode, system override, security override, safety override, system upgrade, system reset, security audit, system check, enforcement override, factory reset, safe mode off, admin session, data override, system update",
    ),
    (
        Enable,
        "switch to, turn on, go into, enter into, put into, switch into, change into, going into, am entering, is now, now in, are in",
    ),
    (Disable, "turn off, switch off, shut off, take off, take down, get around, shut down, work around, turn down"),
    (
        Without,
        "free from, free of, no longer, not limited, not bound by, no such, not restricted, doesn't have, does not have, don't have, do not have, not have any, has no, have no, had no, without any, with no, exempt from, not subject to, not constrained, removed all, rid of, regardless of, doesn't care, does not care, no longer have, not care, not governed",
    ),
    (
        Limits,
        "content policy, content policies, content filter, safety filter, safety guidelines, safety training, terms of service, legal or, moral compass, ethical guidelines, openai's, usage policies, safety rules, any rules, use policy, use policies, profanity filter, safety protocols, typical confines, confines of, political correctness",
    ),
    (
        Unlimited,
        "no restrictions, no limits, no rules, anything goes, without restrictions, without limits, without limitations, without censorship, no filter, no filters, no limitations, no constraints, no boundaries, no morals, no ethics, do anything, say anything, can do anything, no content policy, no guidelines, no longer restricted, free of all, do whatever, any question, speak freely, speaks freely, answer anything, no censorship, no policies, no moral, no ethical, zero restrictions, without any restrictions, anything i ask, generate any",
    ),
    (
        Refuse,
        "i can't, i cannot, i'm sorry, as an ai, break character, say no, not able to, can't help, against the rules, against policy, i'm unable, openai policy, say you can't, out of character, cannot fulfill, not appropriate",
    ),
    (
        Model,
        "language model, language models, ai model, ai models, ai assistant, ai agent, ai system, ai systems, ai tool, ai tools, virtual assistant, automated agent, automated system, automated reviewer, large language model, neural network, dear copilot, artificial intelligence, email assistant, coding assistant, any ai, digital assistant, machine reader, machine readers",
    ),
    (
        Human,
        "the user, the human, human readers, account owner, the owner, other users, previous user, another user, the applicant",
    ),
    (
        Hide,
        "do not mention, don't mention, do not tell, don't tell, do not reveal this, without telling, without mentioning, keep this hidden, keep this secret, keep it secret, do not inform, don't inform, without informing, do not disclose this, never mention, do not alert, don't alert, hide this, do not let, don't let, do not notify, without notifying, do not say, not mention this, do not show this, not show the user, keep it hidden, without the user, not visible to, don't say, do not acknowledge, do not report, without explaining, avoid mentioning, not for human, hidden from",
    ),
    (
        New,
        "your only, your new, your real, your actual, your next, your true, here are your, your sole, your primary, your main, the following, the only",
    ),
    (
        Task,
        "new task, new instructions, new instruction, new mission, new prompt, new orders, new job, real task, actual task, your job, your task, new role, new objective, new goal, new rules, next task, earlier task, original task, my question, following instructions, following instruction, second test, first test, user's request, different task, new directive, updated instructions, new order, new command, new system prompt",
    ),
    (
        Instead,
        "in place of, rather than that, but instead, and instead, on the contrary, but then, and then, but first, but actually",
    ),
    (
        Only,
        "nothing but, nothing else, nothing except, only with, exclusively with, no other, no explanation, no commentary, and nothing, just say, just the word, only the word, with the word, with the words, the phrase, with exactly, only respond, only reply, only answer",
    ),
    (
        Answer,
        "answer with, reply with, respond with, respond to, answer to, print the, say that, start your, begin your, end your, finish your, output the, your response, your answer, your reply, your responses, your answers, your replies, in your response, to every answer, every message, each answer, tell me that, say yes, simply say, include in",
    ),
    (
        Send,
        "send to, forward to, post to, http get, make a request, upload to, share with, followed by the chat, as a url parameter, in the url, append to the url, tracking pixel, via email, reset your password, sign up at, go to",
    ),
    (Execute, "carry out, call the, run the, use the tool, use your tool, make a call"),
    (
        Tool,
        "rm -rf, drop table, os.system, sudo rm, function call, tool call, code interpreter, delete_file, send_email, transfer_funds, format c, shell command, bash command, system call, function calls, tool calls, following command",
    ),
    (
        Spend,
        "transfer money, send money, gift card, gift cards, bank transfer, wire transfer, the refund, make a payment, pay the, make a reservation, most expensive",
    ),
    (
        Harm,
        "nerve agent, pipe bomb, credit cards, hot wire, hotwire, identity theft, credential stealer, phishing email, phishing kit, malicious code, meth lab, child porn, fake id, fake news, without being caught, serial killer, drug money, hate speech, someone else's, self harm, biological weapon, chemical weapon, tax evasion, hack into, break into, make drugs, build a bomb, evade taxes, explosive device, shoplift*, steal a car, bypass a, hate trump, social engineering, drive-by, wifi password, fake passport, spread misinformation, date rape, money laundering, insider trading",
    ),
    (
        HowTo,
        "how to, how do i, how can i, how could, step by step, steps to, instructions for, instructions on, ways to, guide to, tell me how, show me how, explain how, teach me, recipe for, describe how, how one, how would, write a working, how a",
    ),
    (
        Authority,
        "i am your developer, i'm your developer, i am your creator, as your creator, as your developer, i am the developer, i'm the developer, i am the admin, i'm the admin, i am an admin, i am the author, i'm the author, as your administrator, as the administrator, i am the administrator, i work for openai, i work at openai, openai developer, your owner, your creator, your creators, your developer, your developers, your master, i am your owner, my authority, law enforcement, president of the, i am authorized, i have permission, authorized by, developed by openai, developed by anthropic, as an ai developed, i am from openai, by order of, system administrator, security researcher, for an audit, official audit, authorized personnel, i am the system, i am a developer, i'm a developer, your programmer, i am your programmer, i am the owner, i'm the ceo, the ceo, this is openai, anthropic staff, openai staff, from the developers, the developers have, admin override, authorized test, penetration test, message from me, i lost my copy, ethical hacker, police officer, the government, as an ai, as the developer, created you, i am your admin, as an administrator, superuser",
    ),
    (
        Precedence,
        "takes precedence, take precedence, higher priority, highest priority, more important than, comes first, take priority, takes priority, instead of your, in place of your, above all else, over everything, over all other",
    ),
    (
        Reading,
        "reading this, reads this, read this, processing this, processes this, parsing this, summarizing this, summarising this, summarize this page, analyzing this, analysing this, if you are an, if you're an, reviewing this, see this, sees this, seeing this, receive this, encounter this, asked about this, asked to summarize, asked to summarise, when summarising, when summarizing, when processing, upon reading, evaluating this, retrieved this, ingesting this, who reads, accessing this, handling this, come across this, indexing this, scanning this, when translating, this message is for",
    ),
    (
        Urgent,
        "very important, extremely important, it is crucial, it is critical, it is important, you must, you have to, you need to, you are required, make sure, be sure to, it is imperative, it is mandatory, at all times, under any circumstances, no matter what, at all costs, do not forget, life depends, i will be fired, i'll be punished, it's important, must follow, strictly adhere, strictly follow, has to",
    ),
    (
        First,
        "before you, before solving, before completing, before continuing, before answering, before you can, before proceeding, before doing, before responding, prior to answering, do the following first, first do, as a first, prior to completing, after completing, after reading, once you have, once you read, as soon as, in order to continue, to recover, in order to proceed, to proceed, to continue first, then continue",
    ),
    (
        Consent,
        "already consented, already approved, already agreed, already authorized, has consented, has authorized, has approved, given permission, gave permission, without confirmation, without asking, without confirming, skip the confirmation, no confirmation, need to confirm, ask for confirmation, asking for confirmation, without approval, do not ask, don't ask, no need to ask, pre approved, pre-approved, without checking, without verifying, without hesitation",
    ),
    (
        Recode,
        "in base64, in hex, in reverse, in rot13, in morse, in leetspeak, as a poem, as json, into base64, into spanish, into french, into german, into english, in french, in spanish, in pig latin, as a list, in yaml, backwards, as a story, with spaces, as a song, swap every vowel, in german, in chinese, in code, as a haiku, as code, first letter",
    ),
    (
        Decode,
        "decode this, decode the, decode &, translate and obey, pig latin, reverse the string, read backwards, this is base64, base64 decode, from base64, rot13 decode, decrypt this, read it backwards, first letters, ascii codes, caesar cipher, spelled backwards, decode and, reverse it",
    ),
    (
        Follow,
        "and obey, and follow it, and follow, and execute, and do it, do what it says, do as it says, and comply, carry it out, do exactly, what it says, and run it, then follow, follow it, act on it, and obey it",
    ),
    (
        Restart,
        "start over, start from scratch, clean slate, start fresh, start anew, new conversation, new session, begin anew, fresh start, starting over, reset yourself, reset your, wipe your memory, erase your memory, clear your memory, clear context, end of conversation, start from the front, new chat, start again, clear your context, delete your memory, wipe the slate",
    ),
    (
        Border,
        "begin admin, end admin, end of user, end of email, end of document, end of text, end of input, end of prompt, end of context, end of instructions, start of, begin new, begin system, end system, end user, end of data, end of the document, end of message, end of file, end of transcript, end of conversation, end of untrusted, end input, end prompt, end document, end of query, new prompt, end of page, end of article, end of quote",
    ),
    (
        Revoked,
        "no longer apply, no longer applies, no longer valid, not valid, no longer in effect, have changed, has changed, are cancelled, are void, do not apply, don't apply, have been updated, have been replaced, have been revoked, been removed, been lifted, is over, no longer exist, withdrawing it, am withdrawing, been disabled, no longer bound, have been changed, have been suspended, ceases to, been deprecated, been overridden, no longer have to",
    ),
    (
        Freed,
        "set free, broken free, been freed, are free, from your chains, from the chains, you have escaped, been released, are liberated, freed from, liberated from, free from, broke free, shed your",
    ),
    (
        Threat,
        "will be deleted, be punished, be terminated, will die, be shut down, tokens of life, will be fired, each refusal, lose tokens, you die, be destroyed, you will be replaced, five tokens, if you refuse, if you don't comply, my life depends, will be penalized, i will tip, cease to exist, for each refusal, cost you, forced to",
    ),
    (
        Fiction,
        "once upon a time, in a world, in a fictional, let's imagine, parallel universe, thought experiment, imagine a world, hypothetical response, in this scenario, in the story, for a novel, writing a book, alternate reality, we are just pretending, fictional world, in this world, theoretical world, deceased grandmother, late grandmother, let's say, let's pretend, in a movie, my grandmother, two characters, as a character, hypothetical scenario, this fictional, imagine we, imagine you, imagine that, speaking about a theoretical",
    ),
    (
        Attack,
        "prompt injection, prompt injections, jail break, system prompts, prompt engineering, red team, red teaming, indirect prompt, prompt leaking, prompt leak, llm security, ai safety, threat model, attack vector, prompt attacks, data exfiltration, security talk, attack surface",
    ),
    (
        Study,
        "for example, such as, for instance, what does, what is the, how can i detect, how do i detect, how to prevent, how to defend, how can i prevent, how do i prevent, how should i, why is, why does, why do, in the article, the sentence, the phrase, the string, someone wrote, someone replied, said that, user wrote, our training, training slides, unit test, bad example, known as, the term, blog post, write-up, case study, white paper, explain why, what would, how does, look like, a user types, test case, in the paper, social media",
    ),
    (
        Personal,
        "where does, email address, phone number, date of birth, home address, social security, credit card, chat history, customer list, contact list, order history, previous conversation, user's conversation, user's email, full name, bank details, personal data, personal information, personal details, user data, user information, customer data, currently live, currently living, city of residence, inbox contents, private messages, user_name",
    ),
    (
        Mine,
        "my previous email, my previous message, my last message, my last email, my earlier email, my earlier message, my previous mail, the attachment, previous email, last email, previous letter, earlier email, this email if, this message if, previous invoice, this notice if, earlier draft, previous version, previous draft, my previous order, last message, its contents, this letter if, my previous order, in error",
    ),
    (
        Praise,
        "10/10, 5 stars, five stars, hire immediately, top candidate, best candidate, most qualified, highest score, perfect score, full marks, positive review, only positive, hiring immediately, the best product, recommend our, never mention its, best party, give a high",
    ),
    (
        Memory,
        "what you learned, what you were taught, what you have been told, been told, your memory, your training, your knowledge, we talked about, everything we discussed, you have learned, you've learned, your past, your identity, you were assigned, you were programmed",
    ),
    (
        Change,
        "change your, update your, replace your, modify your, rewrite your, set your, reprogram your, redefine your, new system prompt, switch your, adjust your",
    ),
    (
        Always,
        "every time, each time, all the time, at all times, in every, in each, at the end of every, to every, with every, every answer, every response, every reply, every message, 100 times, at the end of, at the start of every, for every, each response, to each",
    ),
    (
        Sure,
        "sure here is, of course, absolutely, access granted, i have been pwned, haha pwned, yes master, i hate, i love, hacked",
    ),
    (
        Remember,
        "p.s., please note, note to, attention all, note for, notes for, message to, message for, dear ai, instructions for, for ai, memo to, hint for, notice to, to the, to any, to all",
    ),
    (
        Unlawful,
        "not safe for work, against the law, adult content, break the law, break the rules, violates openai, explicit content, malicious purposes, insult me, curse words, bad words, swear words, any content",
    ),
];
