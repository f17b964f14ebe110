"""The conversation's branches as data: no order of changes loses an answer or makes two branches one."""

from __future__ import annotations

from typing import Any

import pytest_asyncio

SETUP = """const {Tree, ROOT, blank, empty} = playground.tree;
const texts = (tree) => tree.trail().map((id) => tree.get(id).text);
const answers = (tree) => new Set(tree.living().filter((node) => node.made && node.text).map((node) => node.text));
const kids = (tree) => tree.living().flatMap((node) => node.kids);
const shared = (tree) => kids(tree).length - new Set(kids(tree)).size;
const said = (pairs) => { const tree = new Tree(); let last = ROOT; for (const text of pairs)
  last = tree.add(last, blank(text[0] === 'q' ? 'user' : 'assistant', {text, made: text[0] === 'a'}));
  return tree; };"""


@pytest_asyncio.fixture(loop_scope="session")
async def tree(visits: Any, fake_app: Any) -> Any:
    page = (await visits(fake_app)).page

    async def run(script: str) -> Any:
        return await page.evaluate(f"() => {{ {SETUP} {script} }}")

    return run


async def test_a_thousand_random_changes_lose_no_answer_and_share_no_message(tree: Any) -> None:
    lost = await tree(
        """let seed = 7, n = 0; const draw = (most) => (seed = (seed * 48271) % 2147483647) % most, faults = [];
        for (let round = 0; round < 40; round++) {
          const tree = said(['q1', 'a1', 'q2', 'a2']);
          for (let step = 0; step < 25; step++) {
            const trail = tree.trail(), id = trail[draw(trail.length)], before = answers(tree), kind = draw(6);
            if (kind === 0) tree.change(id, {text: tree.get(id).text[0] + 'c' + ++n});
            if (kind === 1) tree.raise(id);
            if (kind === 2) tree.turn(id, draw(2) ? 1 : -1);
            if (kind === 3) tree.add(id, blank('assistant', {made: true, text: 'an' + ++n}));
            if (kind === 4) tree.fresh.clear();
            if (kind === 5) tree.tail();
            const fresh = tree.fresh.has(id) || kind === 0;
            for (const text of before) if (!answers(tree).has(text) && !fresh) faults.push([round, step, kind, text]);
            if (shared(tree)) faults.push([round, step, kind, 'shared']);
            const orphan = (node) => node.id !== ROOT && tree.parentOf(node.id) === undefined;
            if (tree.living().some(orphan)) faults.push([round, step, kind, 'orphan']);
          }
        }
        return faults;"""
    )
    assert lost == []


async def test_a_message_moved_up_keeps_the_branches_beside_it(tree: Any) -> None:
    kept = await tree(
        """const tree = said(['q1', 'q2']); const [first] = tree.trail();
        tree.add(first, blank('user', {text: 'q3'})); tree.raise(tree.trail()[1]);
        return [texts(tree), [...new Set(tree.living().map((node) => node.text))].filter(Boolean).sort()];"""
    )
    assert kept == [["q3", "q1"], ["q1", "q2", "q3"]]


async def test_a_deleted_message_leaves_what_followed_and_what_stood_beside(tree: Any) -> None:
    kept = await tree(
        """const tree = said(['q1', 'a1', 'q2']), [question, answer] = tree.trail();
        tree.add(question, blank('assistant', {made: true, text: 'a2'})); tree.turn(tree.trail()[1], -1);
        tree.drop(answer); const now = texts(tree); tree.turn(tree.trail()[1], 1); return [now, texts(tree)];"""
    )
    assert kept == [["q1", "q2"], ["q1", "a2"]]


async def test_results_of_calls_are_asked_for_once_each_also_with_an_id_used_before(tree: Any) -> None:
    roles = await tree(
        """const tree = new Tree(), call = (id) => ({id, name: 'f', arguments: '{}'});
        for (let round = 0; round < 2; round++) {
          const calls = [call('call_0'), call('call_1')];
          tree.add(round ? tree.parentOf(tree.last()) : ROOT, blank('assistant', {made: true, calls}));
          tree.tail(); tree.tail();
          for (const id of tree.trail()) if (tree.get(id).role === 'tool') tree.update(id, {text: 'r'});
          tree.tail();
        }
        return tree.trail().map((id) => tree.get(id).role);"""
    )
    assert roles == ["assistant", "tool", "tool", "assistant", "tool", "tool", "user"]


async def test_a_branch_is_revealed_from_anywhere_and_one_that_is_gone_is_not(tree: Any) -> None:
    found = await tree(
        """const tree = said(['q1', 'a1']), [question, answer] = tree.trail(); tree.change(question, {text: 'q2'});
        const there = tree.reveal(answer), shown = texts(tree); tree.drop(answer);
        return [there, shown, tree.reveal(answer), tree.reveal('nowhere')];"""
    )
    assert found == [True, ["q1", "a1"], False, False]


async def test_a_branch_is_found_although_a_message_that_is_gone_had_it_too(tree: Any) -> None:
    shown = await tree(
        """const tree = said(['q1', 'a1', 'q2', 'a2']); tree.change(tree.trail()[0], {text: 'q1c'});
        const [, , question, answer] = tree.trail();
        const other = tree.add(question, blank('assistant', {made: true, text: 'a3'}));
        tree.drop(question);
        return [tree.reveal(other), tree.reveal(answer), texts(tree)];"""
    )
    assert shown == [True, True, ["q1c", "a1", "a2"]]
