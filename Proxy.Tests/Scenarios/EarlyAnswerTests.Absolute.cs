using System.Net.Sockets;
using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Requests in absolute form, whose answers end by their framing, or with the connection.</summary>
public partial class EarlyAnswerTests
{
    private const string UntilCloseHead = "HTTP/1.1 413 Content Too Large\r\n\r\n", LongHead = "HTTP/1.1 413 Content Too Large\r\n"
        + "Content-Length: 64000000\r\n\r\n";
    private static readonly string PutLarge = $"PUT http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: {Large}\r\n\r\n";

    /// <summary>Nothing but the connection's end tells where such an answer ends.</summary>
    [Test]
    [CancelAfter(60_000)]
    public async Task Answer_until_close_that_was_cut_does_not_look_finished_to_a_client_that_sends(CancellationToken token)
    {
        await using var worker = Refusing(Ending.ClosesUnread, UntilCloseHead + Body);
        await using var proxy = await StartAsync(worker);
        for (int round = 1; round <= 4; round++)
        {
            await using var client = await proxy.ConnectAsync();
            await client.WriteAsync(Encoding.ASCII.GetBytes(PutLarge), token);
            await WriteLargeAsync(client, token);
            Assert.That(await ReadAnswerAsync(client, token), Does.StartWith("HTTP/1.1 413 "));
            Assert.That(async () => await client.ReadAsync(new byte[1], token), Throws.InstanceOf<IOException>(), $"round {round}");
            Assert.That(
                (await proxy.Log.WaitForAsync("access_request", round, token))[^1].Message, Does.Contain("status=413 cause=target_closed"));
        }
    }

    /// <summary>A reset behind a FIN takes nothing back.</summary>
    [Test]
    [CancelAfter(60_000)]
    public async Task Answer_until_close_that_had_finished_is_finished_to_a_client_that_sends(
        [Values(Ending.FinishesAndCloses, Ending.Drains)] Ending ending, CancellationToken token)
    {
        await using var worker = Refusing(ending, UntilCloseHead + Body);
        await using var proxy = await StartAsync(worker);
        for (int round = 1; round <= 4; round++)
        {
            await using var client = await proxy.ConnectAsync();
            await client.WriteAsync(Encoding.ASCII.GetBytes(PutLarge), token);
            await WriteLargeAsync(client, token);
            Assert.That(
                Encoding.ASCII.GetString(await SocksClient.ReadToEndAsync(client, token)),
                Does.StartWith("HTTP/1.1 413 ").And.EndsWith(Body), $"round {round}");
            Assert.That((await proxy.Log.WaitForAsync("access_request", round, token))[^1].Message, Does.Contain("status=413 cause=ok"));
        }
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Long_answer_over_a_kept_connection_does_not_wait_for_the_request(CancellationToken token)
    {
        byte[] answer = LongAnswer();
        await using var worker = new FakeTorWorker
        {
            OnStream = async (stream, _, stop) =>
            {
                var peer = new EarlyReader(stream);
                await peer.ReadHeadAsync(stop);
                await stream.WriteAsync("HTTP/1.1 204 No Content\r\n\r\n"u8.ToArray(), stop);
                await peer.ReadHeadAsync(stop);
                while (stream.Socket.Available == 0)
                    await Task.Delay(1, stop);
                await FillAndCloseUnreadAsync(stream, answer, stop);
            },
        };
        await using var proxy = await StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"u8.ToArray(), token);
        await SocksClient.ReadAsync(client, "HTTP/1.1 204 No Content\r\n\r\n".Length, token);
        await client.WriteAsync(Encoding.ASCII.GetBytes(PutLarge), token);
        await WriteLargeAsync(client, token);
        await ReadLongAnswerAsync(client, answer, token);
        Assert.That(worker.Accepted, Is.EqualTo(1));
    }

    /// <summary>
    /// Less than the patience with a client that sends on: neither the worker's connection nor the log waits for that. 0 ends a stream
    /// that was opened, 5 refuses it.
    /// </summary>
    [TestCase("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 64000000\r\n\r\nx", "HTTP/1.1 502 ", (byte)0)]
    [TestCase("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 64000000\r\n\r\nx", "HTTP/1.1 502 ", (byte)5)]
    [TestCase("POST nonsense HTTP/1.1\r\nHost: a.example\r\nContent-Length: 64000000\r\n\r\nx", "HTTP/1.1 400 ", (byte)5)]
    [TestCase("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", "HTTP/1.1 502 ", (byte)5)]
    [CancelAfter(20_000)]
    public async Task Error_page_holds_nothing_but_the_client(string request, string answer, byte reply, CancellationToken token)
    {
        await using var worker = new FakeTorWorker
        {
            Reply = _ => reply,
            OnStream = async (stream, _, stop) =>
            {
                await new EarlyReader(stream).ReadHeadAsync(stop);
                await stream.WriteAsync("nonsense\r\n\r\n"u8.ToArray(), stop);
                await SocksClient.ReadToEndAsync(stream, stop);
            },
        };
        await using var proxy = await StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync(Encoding.ASCII.GetBytes(request), token);
        Assert.That(Encoding.ASCII.GetString(await SocksClient.ReadToEndAsync(client, token)), Does.StartWith(answer));
        var told = proxy.Log.WaitForAsync(request.StartsWith("CONNECT", StringComparison.Ordinal) ? "access" : "access_request", 1, token);
        while (!told.IsCompletedSuccessfully || worker.Open > 0)
        {
            token.ThrowIfCancellationRequested();
            await client.WriteAsync("x"u8.ToArray(), token);
            await Task.Delay(50, token);
        }
    }

    private static byte[] LongAnswer()
    {
        byte[] answer = new byte[64_000_000];
        new Random(7).NextBytes(answer);
        Encoding.ASCII.GetBytes(LongHead, answer);
        return answer;
    }

    /// <summary>As much as goes until all buffers on the way are full; then closed with unread input.</summary>
    private static async Task FillAndCloseUnreadAsync(NetworkStream stream, byte[] answer, CancellationToken stop)
    {
        stream.Socket.Blocking = false;
        for (int sent = 0, refused = 0; refused < 20;)
        {
            int count = stream.Socket.Send(answer.AsSpan(sent, Math.Min(64 * 1024, answer.Length - sent)), SocketFlags.None, out var error);
            sent += error == SocketError.Success ? count : 0;
            refused = error == SocketError.Success ? 0 : refused + 1;
            if (refused > 0)
                await Task.Delay(5, stop);
        }
    }

    /// <summary>The beginning; the head may have been written anew.</summary>
    private static async Task ReadLongAnswerAsync(NetworkStream client, byte[] answer, CancellationToken token)
    {
        byte[] start = await SocksClient.ReadAsync(client, 500_000, token);
        int head = start.AsSpan().IndexOf("\r\n\r\n"u8) + 4;
        Assert.That(start.AsSpan(head).SequenceEqual(answer.AsSpan(LongHead.Length, start.Length - head)), Is.True);
    }
}
