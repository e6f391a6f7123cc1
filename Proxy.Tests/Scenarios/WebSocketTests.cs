using System.Net;
using System.Net.WebSockets;
using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>WebSockets through a tunnel, and through the upgrade of a request in absolute form.</summary>
public sealed class WebSocketTests : ScenarioFixture
{
    [TestCase("http")]
    [TestCase("socks5")]
    [CancelAfter(60_000)]
    public async Task Client_of_dotnet(string scheme, CancellationToken token)
    {
        using var socket = new ClientWebSocket();
        socket.Options.Proxy = new WebProxy($"{scheme}://{Address}");
        await socket.ConnectAsync(new Uri($"ws://{WebOrigin.Name}:{Web.Port}/ws"), token);
        await AssertEchoesAsync(socket, token);
    }

    [Test, CancelAfter(60_000)]
    public async Task Upgrade_of_a_request_in_absolute_form(CancellationToken token)
    {
        int before = Proxy.Log.OfEvent("access").Count();
        await using (var stream = await Proxy.ConnectAsync())
        {
            await stream.WriteAsync(
                Encoding.ASCII.GetBytes(
                    $"GET {WebByName}/ws HTTP/1.1\r\nHost: {WebOrigin.Name}:{Web.Port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
                token);
            var head = new StringBuilder();
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
                head.Append((char)(await SocksClient.ReadAsync(stream, 1, token))[0]);
            Assert.That(head.ToString(), Does.StartWith("HTTP/1.1 101 "));

            // RFC 6455, section 1.3: the answer to that key.
            Assert.That(head.ToString(), Does.Contain("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
            using var socket = WebSocket.CreateFromStream(stream, new WebSocketCreationOptions { IsServer = false });
            await AssertEchoesAsync(socket, token);
        }

        var entries = await Proxy.Log.WaitForConnectionsAsync(before + 1, token);
        Assert.That(AccessEntry.Field(entries[before], "end"), Is.EqualTo("finished"), entries[before].Message);
    }

    private static async Task AssertEchoesAsync(WebSocket socket, CancellationToken token)
    {
        byte[] sent = WebOrigin.FileBytes[..100_000];
        await socket.SendAsync(sent, WebSocketMessageType.Binary, true, token);
        using var echoed = new MemoryStream();
        var buffer = new byte[8192];
        WebSocketReceiveResult result;
        do
        {
            result = await socket.ReceiveAsync(buffer, token);
            echoed.Write(buffer, 0, result.Count);
        }
        while (!result.EndOfMessage);

        Assert.That(echoed.ToArray().AsSpan().SequenceEqual(sent), Is.True);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, token);
        Assert.That(socket.CloseStatus, Is.EqualTo(WebSocketCloseStatus.NormalClosure));
    }
}
