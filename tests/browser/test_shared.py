"""A shared page in two browsers side by side: each comes in, finds only their own, and is held within the limits."""

from __future__ import annotations

from typing import Any

PHRASE = "open sesame"
MODEL = "openai/gpt-3.5-turbo-instruct"


async def history(screen: Any) -> list[str]:
    await screen.tab("history")
    await screen.until("document.querySelector('.pg-history .pg-rows:not([aria-busy])')")
    await screen.page.wait_for_timeout(300)
    return list(await screen.page.locator(".pg-run-prompt").all_inner_texts())


async def test_two_visitors_side_by_side_find_only_their_own(visits: Any, shared_app: Any) -> None:
    ana = await visits.signed_in(shared_app, "Ana", PHRASE, model=MODEL)
    eva = await visits.signed_in(shared_app, "Eva", PHRASE, model=MODEL, locale="es-ES", width=390)
    for screen, text in ((ana, "of Ana"), (eva, "of Eva")):
        await screen.run(text)
        assert await screen.text() == f"{text}Hello, world!"
    assert await history(ana) == ["of Ana"]
    assert await history(eva) == ["of Eva"]
    assert shared_app.deps.store.runs(limit=1) == []
    assert sorted(each.name for each in shared_app.deps.store.accounts.listed()) == ["Ana", "Eva"]


async def test_a_reload_finds_the_same_visitor_and_another_browser_is_another(visits: Any, shared_app: Any) -> None:
    one = await visits.signed_in(shared_app, "Uma", PHRASE, model=MODEL)
    await one.run("mine")
    await one.page.reload()
    await one.ready()
    assert await history(one) == ["mine"]
    other = await visits.signed_in(shared_app, "Uma", PHRASE, model=MODEL)
    assert await history(other) == []


async def test_what_passes_a_bound_or_a_limit_is_said_in_the_visitors_language(visits: Any, shared_app: Any) -> None:
    screen = await visits.signed_in(shared_app, "Leo", PHRASE, model=MODEL, locale="es-ES")
    await screen.set("n", "3")
    await screen.run("hola")
    await screen.notice_with("n es como mucho 2 para los visitantes.")
    await screen.set("n", "1")
    account = next(each.id for each in shared_app.deps.store.accounts.listed() if each.name == "Leo")
    shared_app.deps.store.accounts.stop(account, True)
    await screen.run("hola")
    await screen.notice_with("El anfitrión de este Playground ha detenido las ejecuciones.")
    shared_app.deps.store.accounts.stop(account, False)
    await screen.run("hola")
    assert (await screen.text()).endswith("Hello, world!")


async def test_the_training_jobs_of_the_hosts_key_are_shown_to_no_visitor(visits: Any, shared_app: Any) -> None:
    screen = await visits.signed_in(shared_app, "Noa", PHRASE, model=MODEL)
    await screen.tab("finetune")
    await screen.page.locator(".pg-jobs").get_by_text("the host's alone").first.wait_for()
    assert await screen.page.locator(".pg-jobs-list .pg-job").count() == 0


async def test_a_visitor_sees_their_limits_and_signs_out(visits: Any, shared_app: Any) -> None:
    screen = await visits.signed_in(shared_app, "Iris", PHRASE, model=MODEL)
    await screen.run("hi")
    await screen.page.click(".pg-account summary")
    await screen.page.locator(".pg-account-limit").get_by_text("11 of 40,000 tokens today").wait_for()
    assert await screen.page.locator(".pg-account summary").inner_text() == "Iris · your limits"
    assert await screen.page.locator(".pg-account-visitor").count() == 0
    await screen.page.click(".pg-account-out")
    await screen.page.wait_for_selector("#password")
    visits.problems[:] = [said for said in visits.problems if "401" not in said]  # the form in the page's place


async def test_the_host_sees_visitors_stops_one_and_all_and_lets_them_go_on(visits: Any, shared_app: Any) -> None:
    visitor = await visits.signed_in(shared_app, "Olga", PHRASE, model=MODEL)
    await visitor.run("hi")
    host = await visits.hosting(shared_app)
    await host.page.click(".pg-account summary")
    row = host.page.locator(".pg-account-visitor", has_text="Olga")
    await row.get_by_text("1 calls · 11 tokens").wait_for()
    await row.get_by_role("button", name="Stop Olga").click()
    await row.get_by_role("button", name="Let Olga go on").wait_for()
    await visitor.run("again")
    await visitor.notice_with("has stopped runs")
    await row.get_by_role("button", name="Let Olga go on").click()
    await host.page.get_by_role("button", name="Stop everybody").click()
    await host.page.get_by_role("button", name="Let everybody go on").wait_for()
    await visitor.run("again")
    await visitor.notice_with("has stopped runs")
    await host.page.get_by_role("button", name="Let everybody go on").click()
    await host.page.get_by_role("button", name="Stop everybody").wait_for()
    await visitor.run("again")
    assert (await visitor.text()).endswith("Hello, world!")


async def test_the_host_sees_what_everybody_spent_by_model_and_by_visitor(visits: Any, shared_app: Any) -> None:
    visitor = await visits.signed_in(shared_app, "Petra", PHRASE, model=MODEL)
    await visitor.run("hi")
    await visitor.tab("usage")
    await visitor.page.locator("#pg-usage .pg-chart rect").first.wait_for()
    assert await visitor.page.locator("#pg-usage select").nth(1).is_hidden()
    host = await visits.hosting(shared_app)
    await host.tab("usage")
    whose = host.page.locator("#pg-usage select").nth(1)
    await whose.select_option("visitor")
    await host.page.locator("#pg-usage .pg-chart-legend").get_by_text("Petra").wait_for()
    await whose.select_option("model")
    await host.page.locator("#pg-usage .pg-chart-legend").get_by_text(MODEL).wait_for()
    assert await host.page.locator("#pg-usage .pg-chart").count() == 2
    # No label of an axis is cut, however small the sums are.
    for chart in await host.page.locator("#pg-usage .pg-chart svg").all():
        edge = (await chart.bounding_box())["x"]
        assert all([(await label.bounding_box())["x"] >= edge for label in await chart.locator("text").all()])


async def test_a_visitor_asks_with_a_key_of_their_own_which_nobody_else_has(
    visits: Any, shared_app: Any, fake: Any
) -> None:
    key = "rosa-own-canary-5519"
    rosa = await visits.signed_in(shared_app, "Rosa", PHRASE, model=MODEL)
    other = await visits.signed_in(shared_app, "Otto", PHRASE, model=MODEL, locale="es-ES", width=390)
    await rosa.page.click(".pg-account summary")
    field = rosa.page.locator(".pg-account-key input")
    await field.fill("bad key")
    await rosa.page.get_by_role("button", name="Use it").click()
    await rosa.page.locator(".pg-account-problem").get_by_text("That is no key").wait_for()
    await field.fill(key)
    await rosa.page.get_by_role("button", name="Use it").click()
    await rosa.page.get_by_role("button", name="Forget the key for openai").wait_for()
    await rosa.choose(f"own-{MODEL}")
    await rosa.run("mine")
    assert await rosa.text() == "mineHello, world!"
    assert fake.requests[-1].headers["authorization"] == f"Bearer {key}"
    held = "document.documentElement.outerHTML + JSON.stringify([{...localStorage}, {...sessionStorage}])"
    assert key not in await rosa.page.evaluate(held)
    # It passes no limit here, and no other visitor can choose it.
    await rosa.page.click(".pg-account summary")
    await rosa.page.click(".pg-account summary")
    await rosa.page.locator(".pg-account-limit").get_by_text("0 of 40,000 tokens today").wait_for()
    assert "own-openai" not in await other.page.evaluate(held)
    await rosa.page.get_by_role("button", name="Forget the key for openai").click()
    await rosa.page.locator(".pg-account-key input").wait_for()
    await rosa.run("again")
    await rosa.notice_with("is no longer held")
