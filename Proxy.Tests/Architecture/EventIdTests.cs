using System.Reflection;
using System.Text.RegularExpressions;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Onion.Publishing;
using TorBalancer.Server;
using TorBalancer.Testnet;

namespace TorBalancer.Tests.Architecture;

/// <summary>Event ids are what log readers filter by: one number, one message, for ever.</summary>
public partial class EventIdTests
{
    private static readonly (string Name, int Id)[] All =
    [
        .. new[]
            {
                typeof(ServerEventIds).Assembly, typeof(HostingEventIds).Assembly, typeof(TestnetEventIds).Assembly,
                typeof(PublishingEventIds).Assembly,
            }
            .SelectMany(static assembly => assembly.GetTypes())
            .Where(static type => type.Name.EndsWith("EventIds", StringComparison.Ordinal))
            .SelectMany(static type => type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static)
                .Where(static field => field.IsLiteral)
                .Select(field => ($"{type.Name}.{field.Name}", (int)field.GetRawConstantValue()!))),
    ];

    [Test]
    public void Ids_are_unique_across_the_solution()
    {
        var twice = All.GroupBy(static entry => entry.Id).Where(static group => group.Count() > 1)
            .Select(static group => $"{group.Key}: {string.Join(", ", group.Select(static entry => entry.Name))}");

        Assert.That(All, Has.Length.GreaterThan(20));
        Assert.That(twice, Is.Empty);
    }

    [Test]
    public void Every_message_has_an_id_from_a_table_and_no_two_share_one()
    {
        var messages = Repository.Sources
            .Where(static file => file.Project is "Proxy.Core" or "Proxy.Daemon" or "Proxy.Onion" or "Proxy.Testnet")
            .SelectMany(static file => Message().Matches(file.Code).Select(match => (File: file.ToString(), Id: match.Groups[1].Value)))
            .ToArray();

        Assert.That(messages, Has.Length.GreaterThan(20));
        Assert.That(messages.Where(message => !All.Any(entry => entry.Name == message.Id)), Is.Empty, "not in a table of ids");
        Assert.That(
            messages.GroupBy(static message => message.Id).Where(static group => group.Count() > 1).Select(static group => group.Key),
            Is.Empty);
    }

    [GeneratedRegex(@"\[LoggerMessage\(\s*(?:EventId = )?([^,)]*)")]
    private static partial Regex Message();
}
