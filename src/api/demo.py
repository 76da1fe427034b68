"""A believable working day of a complaints desk, the same for the same seed and day.

Everything is asked by whoever would ask it, with the clock set to when they would, and the rules
decide as they would have.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from casecore.actors import Actor, Role
from casecore.appender import Appender
from casecore.asking import Ask
from casecore.case.decisions.after import RecordSatisfaction, RequestSatisfaction
from casecore.case.decisions.callbacks import RecordCallback, RecordFollowUp
from casecore.case.decisions.contact import (
    RecordAcknowledgement,
    RecordContact,
    RecordProgressUpdate,
    StartWaiting,
)
from casecore.case.decisions.escalation import (
    AcceptEscalation,
    CloseEscalation,
    Escalate,
    RecordSupervisorSpoke,
)
from casecore.case.decisions.goodwill import (
    AcceptGoodwill,
    ApproveGoodwill,
    OfferDiscount,
    OfferGoodwill,
    RecordGoodwillPaid,
)
from casecore.case.decisions.intake import (
    AcknowledgeComplaint,
    AssessEmotion,
    Complainant,
    DiscloseLimits,
    EndInteraction,
    GiveRecap,
    HearComplaint,
    HeardNote,
    RegisterCase,
    StartInteraction,
    ThankCustomer,
    case_ref,
)
from casecore.case.decisions.investigation import (
    DetermineFault,
    RecordRootCause,
    StartInvestigation,
)
from casecore.case.decisions.outcome import (
    CloseCase,
    MarkNotComplaint,
    ReopenCase,
    ResolveCase,
    WithdrawCase,
)
from casecore.case.decisions.ownership import (
    AnswerHandoff,
    ClaimCase,
    HandOff,
    RateHandoverNote,
    TransferCase,
    WriteHandoverNote,
)
from casecore.case.decisions.promises import KeepPromise, MakePromise
from casecore.case.decisions.solutions import (
    AcceptSolution,
    ImplementSolution,
    InviteToCraft,
    NominateSolution,
    OfferSolution,
    ProposeSolution,
    VerifySolution,
)
from casecore.case.decisions.triage import TriageCase
from casecore.case.events.intake import Channel
from casecore.case.state import Case
from casecore.case.state.outcome import Stage
from casecore.core import Core, Key
from casecore.errors import Rejected
from casecore.goodwill.decisions import DEFAULT_TERMS, PublishGoodwillPolicy, read_terms
from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy
from casecore.ledger import Appended, Request, Write
from casecore.money import Money
from casecore.sla.files import pack, read_book
from casecore.sla.state import SLA_BOOK_ID, SlaBook

SOURCE = "demo"
CASES_MAX = 500
ZONE = ZoneInfo("Europe/London")
OPENS, LAST_CALL = time(8, 30), time(12, 30)
"""Complaints come in between these, so that even the longest story ends the same day."""

SAM = Actor("sam", Role.SUPERVISOR)
AGENTS = [Actor(name, Role.AGENT) for name in ("amira", "ben", "carla", "dev", "emil", "fay")]
MAILBOX = Actor("mailbox", Role.SERVICE)
WEB_FORM = Actor("web-form", Role.SERVICE)
PAYMENTS = Actor("payments", Role.SERVICE)
SYSTEM = Actor("casecore", Role.SYSTEM)

CUSTOMERS = (
    "Ada Byron", "Grace Ofori", "Tomasz Zielinski", "Maeve O'Connor", "Ravi Patel", "Lena Fischer",
    "Omar Haddad", "Chloe Martin", "Yuki Tanaka", "Sofia Rossi", "Daniel Okafor", "Nora Lindqvist",
    "Peter Novak", "Isla Campbell", "Hugo Fernandes", "Wei Zhang", "Fatima Noor", "George Pappas",
)  # fmt: skip
COMPANIES = (None, None, None, "Analytical Engines", "Corner Bakery", "Harbour Dental")


class Turn(NamedTuple):
    """What someone does, so many minutes after what was done before."""

    minutes: int
    by: Actor
    commands: Sequence[Ask]


class Step(NamedTuple):
    """A turn in its place in the day."""

    at: datetime
    case: int
    turn: int
    title: str
    by: Actor
    commands: Sequence[Ask]


class CaseTold(msgspec.Struct, frozen=True):
    case_id: UUID
    case_ref: str
    customer: str
    title: str
    stage: Stage


class DayTold(msgspec.Struct):
    """What a day at the desk came to."""

    day: date
    events: int = 0
    """Of its cases, written now: none when the day had been played before."""
    cases: list[CaseTold] = []


class Scene:
    """One complaint, as far as chance decides about it."""

    def __init__(self, chance: Random, number: int, ref: str) -> None:
        self.chance = chance
        self.ref = ref
        self.agent, self.colleague = chance.sample(AGENTS, 2)
        name = chance.choice(CUSTOMERS)
        self.customer = Complainant(
            ref=f"cust-{1000 + number}", name=name, company=chance.choice(COMPANIES)
        )
        self.minutes = chance.randint

    def registers(
        self, channel: Channel, reason: str, product: str, category: str, heat: int
    ) -> RegisterCase:
        return RegisterCase(
            channel=channel,
            customer=self.customer,
            reason=reason,
            product=product,
            category=category,
            heat=heat,
            language="en",
            intake_source=SOURCE,
            intake_ref=self.ref,
        )

    def call_begins(self, reason: str, product: str, category: str, heat: int) -> Turn:
        wait = self.minutes(10, 600)
        return Turn(
            0,
            self.agent,
            [
                self.registers("phone", reason, product, category, heat),
                StartInteraction(queue_wait_seconds=wait),
                ClaimCase(),
            ],
        )

    def listens(self, fact: str, feeling: str) -> Turn:
        notes = (HeardNote("fact", fact), HeardNote("feeling", feeling))
        return Turn(
            self.minutes(3, 9),
            self.agent,
            [
                HearComplaint(
                    customer_finished=True, vented=True, interaction_id="i1", notes=notes
                ),
                GiveRecap(confirmation="confirmed", note_ids=("n1", "n2"), interaction_id="i1"),
                AcknowledgeComplaint(apology=True, interaction_id="i1"),
                ThankCustomer(),
            ],
        )

    def call_ends(self, heat: int) -> Turn:
        seconds = self.minutes(300, 1500)
        return Turn(
            1,
            self.agent,
            [
                EndInteraction(interaction_id="i1", duration_seconds=seconds),
                AssessEmotion(heat=heat, moment="end", interaction_id="i1"),
            ],
        )

    def calls_back(self) -> Turn:
        return Turn(
            self.minutes(60, 150),
            self.agent,
            [RecordCallback(reached=True, all_concerns_settled=True), CloseCase()],
        )


Story = Callable[[Scene], Iterator[Turn]]


def late_parcel(scene: Scene) -> Iterator[Turn]:
    weeks = scene.minutes(2, 4)
    yield scene.call_begins(f"{weeks} weeks late and nobody calls back", "delivery", "late", 3)
    yield scene.listens(f"Ordered {weeks * 7} days ago", "Feels ignored")
    idea = scene.chance.choice(["Deliver to the neighbour", "Deliver to the shop next door"])
    yield Turn(
        2,
        scene.agent,
        [
            InviteToCraft(interaction_id="i1"),
            ProposeSolution(proposer="customer", text=idea),
            OfferSolution(solution_id="s1"),
            AcceptSolution(solution_id="s1"),
            MakePromise(kind="resolution", text="Delivered within 24 hours", within_seconds=86_400),
        ],
    )
    yield scene.call_ends(heat=1)
    yield Turn(
        scene.minutes(60, 120),
        scene.agent,
        [
            ImplementSolution(solution_id="s1"),
            OfferDiscount(percent_bp=1000, purpose="thank_you"),
        ],
    )
    yield Turn(
        5,
        scene.agent,
        [
            AcceptGoodwill(offer_id="g1"),
            ResolveCase(outcome="upheld", reasons="Lost at the depot", root_cause="carrier_depot"),
        ],
    )
    yield scene.calls_back()
    yield Turn(
        5,
        scene.agent,
        [
            VerifySolution(solution_id="s1", worked=True),
            NominateSolution(
                solution_id="s1",
                title=idea,
                why="The customer thought of it, and it worked the same day",
                product="delivery",
                category="late",
            ),
            RequestSatisfaction(channel="email"),
        ],
    )
    csat = scene.minutes(4, 5)
    yield Turn(25, MAILBOX, [RecordSatisfaction(csat=csat, felt_heard=5, effort=2)])


def wrong_bill(scene: Scene) -> Iterator[Turn]:
    reason = "Billed twice for the same month"
    yield Turn(
        0,
        MAILBOX,
        [
            scene.registers("email", reason, "billing", "double charge", 2),
            RecordAcknowledgement(mode="written", message_ref=f"{scene.ref}/ack"),
        ],
    )
    yield Turn(
        scene.minutes(10, 40),
        scene.agent,
        [
            ClaimCase(),
            HearComplaint(customer_finished=True),
            TriageCase(severity=2, complexity=2, impact=2, category="double charge"),
            AcknowledgeComplaint(apology=True),
            StartInvestigation(plan="Compare both invoices with the meter"),
        ],
    )
    pounds = scene.minutes(5, 24)
    yield Turn(
        scene.minutes(15, 45),
        scene.agent,
        [
            DetermineFault(
                party="business", reasons="The meter was read twice", cause_class="process_defect"
            ),
            RecordRootCause(cause_code="meter_read_twice", locus="process"),
            OfferGoodwill(kind="refund", purpose="redress", amount=Money(pounds * 100, "GBP")),
            ProposeSolution(proposer="agent", text="Refund the second bill", offer_ids=("g1",)),
            OfferSolution(solution_id="s1", channel="email"),
        ],
    )
    yield Turn(
        scene.minutes(20, 70),
        MAILBOX,
        [RecordContact(channel="email", message_ref=f"{scene.ref}/yes", text="That is fine")],
    )
    yield Turn(
        5,
        scene.agent,
        [AcceptGoodwill(offer_id="g1"), AcceptSolution(solution_id="s1", in_writing=True)],
    )
    yield Turn(10, PAYMENTS, [RecordGoodwillPaid(offer_id="g1", payment_ref=f"pay/{scene.ref}")])
    yield Turn(5, scene.agent, [ResolveCase(outcome="upheld", reasons="Billed twice; refunded")])
    yield scene.calls_back()


def spoilt_goods(scene: Scene) -> Iterator[Turn]:
    yield scene.call_begins("The freezer failed and everything thawed", "appliances", "fault", 3)
    yield scene.listens("Freezer bought in spring", "Worried about the cost")
    yield Turn(
        2,
        scene.agent,
        [
            DiscloseLimits(
                cannot_do=("Pay before a supervisor agrees",),
                can_do=("Send a technician today",),
                interim_commitment="A call within two hours",
                interaction_id="i1",
            ),
            MakePromise(kind="callback", text="A call within two hours", within_seconds=7200),
            OfferGoodwill(kind="compensation", purpose="distress", amount=Money(12_000, "GBP")),
        ],
    )
    yield scene.call_ends(heat=2)
    yield Turn(scene.minutes(15, 40), SAM, [ApproveGoodwill(offer_id="g1")])
    yield Turn(
        scene.minutes(10, 30),
        scene.agent,
        [
            KeepPromise(promise_id="p1", how="Called with the supervisor's yes"),
            AcceptGoodwill(offer_id="g1"),
        ],
    )
    yield Turn(20, PAYMENTS, [RecordGoodwillPaid(offer_id="g1", payment_ref=f"pay/{scene.ref}")])
    reasons = "A compressor of a faulty batch"
    yield Turn(
        scene.minutes(5, 20),
        scene.agent,
        [ResolveCase(outcome="upheld", reasons=reasons, root_cause="compressor_batch")],
    )
    yield scene.calls_back()


def wants_a_manager(scene: Scene) -> Iterator[Turn]:
    yield scene.call_begins("Wants the whole year refunded", "subscription", "refund", 4)
    yield scene.listens("Used the service all year", "Furious")
    yield Turn(
        3,
        scene.agent,
        [
            Escalate(reason="Asked for a manager", tier=1, requested_by="customer"),
            AssessEmotion(heat=4, interaction_id="i1"),
        ],
    )
    yield scene.call_ends(heat=4)
    yield Turn(scene.minutes(10, 30), SAM, [AcceptEscalation(escalation_id="e1")])
    yield Turn(
        scene.minutes(10, 20),
        SAM,
        [
            RecordSupervisorSpoke(
                escalation_id="e1", decision="upheld", heat_before=4, heat_after=2
            ),
            CloseEscalation(escalation_id="e1", outcome="Understood, not agreed"),
        ],
    )
    yield Turn(
        10,
        scene.agent,
        [
            ResolveCase(
                outcome="rejected",
                reasons="The service was used on 340 days of the year it was paid for",
            )
        ],
    )
    yield Turn(scene.minutes(60, 120), scene.agent, [RecordCallback(reached=False)])


def lost_at_the_depot(scene: Scene) -> Iterator[Turn]:
    reason = "The parcel says delivered, and it is not here"
    yield Turn(0, WEB_FORM, [scene.registers("web", reason, "delivery", "lost", 2)])
    yield Turn(
        scene.minutes(15, 50),
        scene.agent,
        [
            ClaimCase(),
            HearComplaint(customer_finished=True),
            AcknowledgeComplaint(apology=True),
            MakePromise(kind="update", text="News by this evening", within_seconds=6 * 3600),
            WriteHandoverNote(
                situation="Scanned as delivered, customer was at home",
                next_step="Search bay 4",
                pending=("The driver's account",),
            ),
            HandOff(to_team="depot", question="Is it in bay 4?"),
        ],
    )
    yield Turn(
        scene.minutes(60, 120),
        scene.agent,
        [RecordFollowUp(followup_id="f1", result="They are searching")],
    )
    yield Turn(
        scene.minutes(10, 40),
        SAM,
        [AnswerHandoff(handoff_id="h1", answer="Found behind the rack of bay 4")],
    )
    yield Turn(
        5,
        scene.agent,
        [
            RecordProgressUpdate(text="We found it, and deliver tomorrow"),
            KeepPromise(promise_id="p1", how="Told the customer it was found"),
            ProposeSolution(proposer="joint", text="Deliver tomorrow before ten"),
            OfferSolution(solution_id="s1"),
        ],
    )


def waits_for_a_photograph(scene: Scene) -> Iterator[Turn]:
    reason = "The table came scratched"
    yield Turn(0, WEB_FORM, [scene.registers("chat", reason, "furniture", "damage", 1)])
    yield Turn(
        scene.minutes(5, 25),
        scene.agent,
        [
            ClaimCase(),
            HearComplaint(customer_finished=True),
            AcknowledgeComplaint(),
            StartWaiting(reason="customer", asked_for="A photograph of the scratch"),
        ],
    )
    if scene.chance.random() < 0.5:
        yield Turn(
            scene.minutes(30, 180),
            WEB_FORM,
            [RecordContact(channel="chat", message_ref=f"{scene.ref}/photo", text="Here it is")],
        )


def settled_by_a_neighbour(scene: Scene) -> Iterator[Turn]:
    reason = "The parcel is missing"
    yield Turn(0, WEB_FORM, [scene.registers("chat", reason, "delivery", "lost", 1)])
    yield Turn(scene.minutes(10, 30), scene.agent, [ClaimCase()])
    yield Turn(
        scene.minutes(10, 60),
        scene.agent,
        [WithdrawCase(customer_words="My neighbour had it all along, sorry")],
    )


def only_a_question(scene: Scene) -> Iterator[Turn]:
    reason = "When do you open on Sunday?"
    yield Turn(0, MAILBOX, [scene.registers("email", reason, "shop", "question", 0)])
    why = "A question about opening hours, answered"
    yield Turn(scene.minutes(20, 90), SAM, [MarkNotComplaint(reason=why)])


def came_back(scene: Scene) -> Iterator[Turn]:
    yield scene.call_begins("No internet since yesterday", "broadband", "outage", 3)
    yield scene.listens("The lamp on the router is red", "Works from home and is desperate")
    yield Turn(
        4,
        scene.agent,
        [
            ProposeSolution(proposer="agent", text="Restart the line from our side"),
            OfferSolution(solution_id="s1"),
            AcceptSolution(solution_id="s1"),
            ImplementSolution(solution_id="s1"),
            ResolveCase(outcome="upheld", reasons="The line hung", root_cause="line_card"),
        ],
    )
    yield scene.call_ends(heat=1)
    yield Turn(
        scene.minutes(90, 200),
        scene.agent,
        [
            RecordContact(channel="phone", text="It is down again"),
            VerifySolution(solution_id="s1", worked=False),
            ReopenCase(reason="solution_failed", text="The line hung again within hours"),
            MakePromise(kind="resolution", text="A technician tomorrow", within_seconds=86_400),
        ],
    )


def end_of_the_shift(scene: Scene) -> Iterator[Turn]:
    yield scene.call_begins("The contract was changed without asking", "subscription", "terms", 3)
    yield scene.listens("Got the letter on Monday", "Feels tricked")
    yield scene.call_ends(heat=2)
    yield Turn(
        scene.minutes(120, 200),
        scene.agent,
        [
            WriteHandoverNote(
                situation="The change was announced in a letter the customer did not get",
                next_step="Ask legal for proof of posting",
                risks=("Mentioned a lawyer",),
            ),
            TransferCase(to_agent=scene.colleague.id, reason="End of the shift"),
        ],
    )
    yield Turn(
        scene.minutes(5, 30),
        scene.colleague,
        [RateHandoverNote(note_id="hn1", sufficient=True)],
    )


def nobody_yet(scene: Scene) -> Iterator[Turn]:
    reason = scene.chance.choice(
        ["The shop assistant was rude", "The voucher does not work", "Wrong size sent twice"]
    )
    heat = scene.minutes(0, 3)
    yield Turn(240, WEB_FORM, [scene.registers("web", reason, "shop", "service", heat)])


STORIES: dict[Story, int] = {
    late_parcel: 5,
    wrong_bill: 5,
    spoilt_goods: 3,
    wants_a_manager: 2,
    lost_at_the_depot: 4,
    waits_for_a_photograph: 4,
    settled_by_a_neighbour: 1,
    only_a_question: 1,
    came_back: 2,
    end_of_the_shift: 2,
    nobody_yet: 5,
}
"""How often each comes up, beside the others."""


def plan(seed: int, day: date, cases: int) -> list[Step]:
    """Everything that will be done that day, in the order of the clock."""
    chance = Random(f"{seed} {day}")
    opens = datetime.combine(day, OPENS, ZONE).astimezone(UTC)
    until_last_call = (LAST_CALL.hour - OPENS.hour) * 60 + LAST_CALL.minute - OPENS.minute
    steps = []
    for number in range(1, cases + 1):
        [story] = chance.choices(list(STORIES), list(STORIES.values()))
        scene = Scene(chance, number, f"{day}/{seed}/{number}")
        at = opens + timedelta(minutes=chance.randint(0, until_last_call))
        title = story.__name__.replace("_", " ")
        for index, turn in enumerate(story(scene)):
            at += timedelta(minutes=turn.minutes)
            steps.append(Step(at, number, index, title, turn.by, turn.commands))
    return sorted(steps, key=lambda step: step[:3])


class Telling(Appender):
    """Keeps what is decided of a case, so that all of it is appended at once.

    The day is over when it is told: a case of which only the morning was told would be found
    breached of what was done in the afternoon.
    """

    def __init__(self, by: Appender) -> None:
        super().__init__(by.pool, by.ledger)
        self.writes: dict[UUID, Write] = {}

    async def append(self, request: Request) -> Appended:
        for write in request.writes:
            before = self.writes.get(write.stream_id, write._replace(events=()))
            self.writes[write.stream_id] = before._replace(events=(*before.events, *write.events))
        version = request.writes[0].expected + len(request.writes[0].events)
        return Appended(version, 0, 0, datetime.now(UTC), duplicate=False)


async def play(core: Core, seed: int, day: date, cases: int) -> DayTold:
    """Do what was planned, a case in an append. A case that is there already is left as it is."""
    told = DayTold(day)
    steps = plan(seed, day, cases)
    if not steps:
        return told
    if steps[-1].at > core.now():
        raise Rejected("day-not-over", f"{day} is not over yet: choose a day that is")
    morning = Core(core.recorder, core.appender, now=lambda: steps[0].at)
    await goodwill_policy(morning, core.now())
    await sla_policies(morning)
    stories: dict[int, list[Step]] = {}
    for step in steps:
        stories.setdefault(step.case, []).append(step)
    for number, story in stories.items():
        register = story[0].commands[0]
        assert isinstance(register, RegisterCase)
        assert register.intake_id is not None
        case_id = register.intake_id
        if not await core.recorder.heads([case_id]):
            name = f"{SOURCE}/{seed}/{day}/{number}"
            key = Key.of(SYSTEM, name, case_id, [(step.by.id, step.commands) for step in story])
            told.events += await tell(core, case_id, story, key)
        told.cases.append(await ended(core, case_id, story[0].title, register))
    return told


async def goodwill_policy(core: Core, now: datetime) -> None:
    """See that a policy is in force that morning: the one in force now, or casecore's own."""
    morning = core.now()
    seen = await core.see(GoodwillPolicy, GOODWILL_POLICY_ID)
    policy: GoodwillPolicy = seen.state
    if policy.at(morning) is not None:
        return
    if any(version.effective_from > now for version in policy.versions):
        # A version published now would take precedence over the one that is still to come.
        raise Rejected("policy-planned", "another goodwill policy is to come: play a later day")
    current = policy.at(now)
    if current is None:
        publish = read_terms(DEFAULT_TERMS.read_text("utf-8"))
    else:
        publish = PublishGoodwillPolicy(terms=current.terms)
    await core.execute(GoodwillPolicy, GOODWILL_POLICY_ID, publish, by=SYSTEM)


async def sla_policies(core: Core) -> None:
    """A desk that has published no SLA policy begins with the one that casecore brings."""
    book: SlaBook = (await core.see(SlaBook, SLA_BOOK_ID)).state
    if not book.policies:
        await core.execute(SlaBook, SLA_BOOK_ID, *read_book(pack("desk")), by=SYSTEM)


async def tell(core: Core, case_id: UUID, story: Sequence[Step], key: Key) -> int:
    """Each turn is decided when it was done; answers how many events the case has of it."""
    telling = Telling(core.appender)
    rules = Core(core.recorder, telling)
    for step in story:
        rules.now = lambda step=step: step.at  # type: ignore[misc]
        await rules.execute(Case, case_id, *step.commands, by=step.by, key=key)
    written = await core.appender.append(Request(*key, list(telling.writes.values())))
    return 0 if written.duplicate else len(telling.writes[case_id].events)


async def ended(core: Core, case_id: UUID, title: str, register: RegisterCase) -> CaseTold:
    state: Case = (await core.see(Case, case_id, fresh=False)).state
    return CaseTold(
        case_id=case_id,
        case_ref=case_ref(case_id),
        customer=register.customer.name or register.customer.ref,
        title=title,
        stage=state.stage,
    )
