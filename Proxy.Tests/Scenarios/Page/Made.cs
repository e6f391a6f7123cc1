using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Playwright;

namespace TorBalancer.Tests.Scenarios.Page;

/// <summary>Answers that the daemon would take long to come to; everything that is not named here comes from the real one.</summary>
internal static class Made
{
    /// <summary>A worker in each condition that there is, and an avoided exit, beside the real ones.</summary>
    public static async Task ConditionsAsync(IPage page)
    {
        await AddAsync(page, "workers",
        [
            Worker("worker-dead", "DEAD", "enabled", "threshold: 3 failures; worker_timeout: the worker accepted the connection"),
            Worker("worker-recovery", "RECOVERY", "enabled", "recovery_begun: worker_refused"),
            Worker("worker-suspect", "SUSPECT", "enabled", "first_failure: worker_refused"),
            Worker("worker-draining", "HEALTHY", "draining", null),
        ]);
        await AddAsync(page, "blacklist", [Relay("slowexit")], "relays");
    }

    /// <summary>The same text wherever a client or a file has a say.</summary>
    public static async Task HostileAsync(IPage page, string text)
    {
        await AddAsync(page, "workers", [Worker(text, "DEAD", "enabled", text)]);
        await AddAsync(page, "connections", [Connection("c" + text, text, text, 1000)]);
        await AddAsync(page, "sessions",
        [
            new JsonObject { ["id"] = "s-" + text, ["name"] = text, ["worker"] = text, ["age_ms"] = 1, ["idle_ms"] = 1, ["uses"] = 1 },
        ]);
        await AddAsync(page, "blacklist", [Relay(text)], "relays");
    }

    /// <summary>Very many, each time a little different: what is asked for later has more bytes, and some connections have gone.</summary>
    public static async Task ManyAsync(IPage page, int workers, int connections)
    {
        int round = 0;
        await page.RouteAsync("**/api/v1/connections", async route =>
        {
            int now = round++;
            var list = new JsonArray();
            for (int i = 0; i < connections; i++)
            {
                int number = i < connections / 2 ? i : i + (now * 50);
                list.Add((JsonNode)Connection($"c{number}", $"host-{number}.example:443", Name(number % workers), now * 1000L));
            }

            await FulfillAsync(route, new JsonObject { ["connections"] = list });
        });
        await page.RouteAsync("**/api/v1/workers", async route =>
        {
            var list = new JsonArray();
            for (int i = 0; i < workers; i++)
            {
                var worker = Worker(Name(i), i % 50 == 3 ? "DEAD" : "HEALTHY", "enabled", i % 50 == 3 ? "worker_refused" : null);
                worker["bytes_received"] = round * 1000L * i;
                worker["total_connections"] = round * i;
                worker["connect_ms"] = 100 + ((i * 7 + round * 13) % 90);
                list.Add((JsonNode)worker);
            }

            await FulfillAsync(route, new JsonObject { ["workers"] = list });
        });

        static string Name(int number) => string.Create(CultureInfo.InvariantCulture, $"worker-{number:00}");
    }

    /// <summary>The real list with more at its end.</summary>
    private static Task AddAsync(IPage page, string path, JsonObject[] more, string? member = null) =>
        page.RouteAsync($"**/api/v1/{path}", async route =>
        {
            var real = await route.FetchAsync();
            var answer = JsonNode.Parse(await real.TextAsync())!;
            foreach (var one in more)
                answer[member ?? path]!.AsArray().Add(one.DeepClone());
            await FulfillAsync(route, answer);
        });

    private static Task FulfillAsync(IRoute route, JsonNode answer) =>
        route.FulfillAsync(new RouteFulfillOptions { ContentType = "application/json", Body = answer.ToJsonString() });

    private static JsonObject Worker(string id, string state, string administrative, string? reason)
    {
        var health = new JsonObject
        {
            ["state"] = state,
            ["administrative"] = administrative,
            ["connections"] = 3,
            ["success_rate"] = 0.98,
            ["failures"] = 0,
        };
        if (reason is not null)
            health["reason"] = reason;
        return new JsonObject
        {
            ["id"] = id,
            ["address"] = "192.0.2.1:9050",
            ["weight"] = 1,
            ["country"] = "de",
            ["managed"] = false,
            ["health"] = health,
            ["total_connections"] = 100,
            ["total_failures"] = 2,
            ["bytes_sent"] = 1000,
            ["bytes_received"] = 1000,
            ["connect_ms"] = 120,
        };
    }

    private static JsonObject Connection(string id, string target, string worker, long age) => new()
    {
        ["id"] = id,
        ["state"] = "open",
        ["listener"] = "main",
        ["protocol"] = "socks5",
        ["target"] = target,
        ["worker"] = worker,
        ["exit"] = "$" + new string('A', 40) + "~" + worker,
        ["age_ms"] = age,
        ["bytes_sent"] = age,
        ["bytes_received"] = age * 10,
    };

    private static JsonObject Relay(string nickname) => new()
    {
        ["relay"] = "$" + new string('B', 40) + "~" + nickname,
        ["fingerprint"] = new string('B', 40),
        ["nickname"] = nickname,
        ["worker"] = "worker-01",
        ["why"] = "3 streams failed at it",
        ["since"] = "2026-11-29T00:00:00+00:00",
        ["until"] = "2026-11-29T01:00:00+00:00",
        ["expires_ms"] = 1_800_000,
        ["in_force"] = true,
    };
}
