using System.Net.Sockets;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// Bodies in chunks of one byte, sent faster than anybody can take them apart: whoever reads them always finds more, and others have their
/// turn all the same. No time is judged: without turns the bystander is never served at all.
/// </summary>
[CancelAfter(60_000)]
public sealed class EndlessChunksTests
{
    private const int Attackers = 16, Connections = 20;

    [Test]
    public async Task Bystander_on_the_same_loop_is_served(CancellationToken token)
    {
        await using var worker = new FakeTorWorker
        {
            OnStream = static (stream, request, stop) =>
                request.Port == 9 ? DropAsync(stream, stop) : FakeTorWorker.EchoAsync(stream, request, stop),
        };
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options =>
        {
            options.Engine.Transport = EngineKind.Linux;
            options.Engine.Loops = 1;
        });
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(token);
        long sent = 0;
        var attacks = Enumerable.Range(0, Attackers).Select(_ => Task.Run(
            async () =>
            {
                await using var stream = await proxy.ConnectAsync();
                await stream.WriteAsync(
                    "POST http://attack.test:9/ HTTP/1.1\r\nHost: attack.test:9\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray(),
                    enough.Token);
                byte[] chunks = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("1\r\nx\r\n", 10_000)));
                while (true)
                {
                    await stream.WriteAsync(chunks, enough.Token);
                    Interlocked.Add(ref sent, chunks.Length);
                }
            }, token)).ToArray();
        while (worker.Requests.Count < Attackers || Interlocked.Read(ref sent) < Attackers << 20)
            await Task.Delay(10, token);

        for (int i = 0; i < Connections; i++)
        {
            await using var stream = await proxy.ConnectAsync();
            Assert.That((await SocksClient.RequestAsync(stream, "echo.test", 7, token))[1], Is.Zero);
            await stream.WriteAsync(new byte[] { 7 }, token);
            Assert.That(await SocksClient.ReadAsync(stream, 1, token), Is.EqualTo(new byte[] { 7 }));
        }

        Assert.That(attacks.Where(static one => one.IsCompleted), Is.Empty, "they went on meanwhile");
        await enough.CancelAsync();
        foreach (var attack in attacks)
            await ((Task)attack).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task DropAsync(NetworkStream stream, CancellationToken token)
    {
        var buffer = new byte[64 * 1024];
        while (await stream.ReadAsync(buffer, token) > 0)
        {
        }
    }
}
