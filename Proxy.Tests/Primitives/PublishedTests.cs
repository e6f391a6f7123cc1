using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Server;

namespace TorBalancer.Tests.Primitives;

public class PublishedTests
{
    private const int Rounds = 300_000;

    [Test]
    public void Value_is_the_latest_that_was_written()
    {
        var field = default(Published<(int One, string? Two)>);
        Assert.That(field.Read(), Is.EqualTo((0, (string?)null)));
        field.Write((1, "a"));
        field.Write((2, "b"));
        Assert.That(field.Read(), Is.EqualTo((2, "b")));
    }

    /// <summary>A kept HTTP connection asks for one target after the other, while somebody looks at the connections.</summary>
    [Test, CancelAfter(60_000)]
    public async Task Target_and_error_of_a_connection_are_never_read_half_old_half_new(CancellationToken token)
    {
        var context = new ConnectionContext(1, Listener(), IPAddress.Loopback, 0);
        HostEndPoint[] targets = [Target("a.example", 1), HostEndPoint.FromAddress(IPAddress.Parse("192.0.2.2"), 2)];
        int reads = 0;
        using var done = CancellationTokenSource.CreateLinkedTokenSource(token);
        var reader = Task.Factory.StartNew(
            () =>
            {
                while (!done.IsCancellationRequested)
                {
                    if (context.Target is not { } target)
                        continue;
                    if (target != targets[0] && target != targets[1])
                        return $"{target.Host}, {target.Address}, {target.Port}";
                    reads++;
                }

                return "";
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        for (int i = 0; (i < Rounds || Volatile.Read(ref reads) < Rounds / 10) && !reader.IsCompleted; i++)
            context.Target = i % 3 == 2 ? null : targets[i % 3];
        await done.CancelAsync();

        Assert.That(await reader, Is.Empty);
    }

    private static ListenerModel Listener() =>
        new(new ListenerOptions { Name = "main", Address = new IPEndPoint(IPAddress.Loopback, 0) }, IsolationMode.Client);

    private static HostEndPoint Target(string host, int port) =>
        HostEndPoint.TryCreate(host, port, out var target) ? target : throw new ArgumentException(host);
}
