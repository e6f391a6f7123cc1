using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Onion.Keys;
using TorBalancer.Protocols.Socks5;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Onion.Publishing;

/// <summary>What a check of an instance came to.</summary>
/// <param name="Passed">Null: it could not be made, which says nothing of the instance.</param>
/// <param name="Detail">For people.</param>
internal readonly record struct CheckOutcome(bool? Passed, string Detail);

/// <summary>
/// Asks an instance through its own onion address, by a client's SOCKS port (RFC 1928). Each check has an identity of its own, so that tor
/// meets the service anew: a circuit that is still open would prove less.
/// </summary>
internal static class InstanceChecker
{
    private const int LongestStatusLine = 1024;

    /// <summary>Makes one check. Only a cancelled token throws.</summary>
    /// <param name="socks">Of a tor client: an address or a unix socket.</param>
    public static async Task<CheckOutcome> RunAsync(
        EndPoint socks, OnionServiceAddress address, InstanceCheck check, TimeSpan timeout, TimeProvider time,
        CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        Stream? stream = null;
        try
        {
            stream = await SocketStream.ConnectAsync(socks, both.Token);
            await GreetAsync(stream, both.Token);
            if (await ConnectAsync(stream, address.ToString(), check.Port, both.Token) is not 0 and var code)
                return new CheckOutcome(false, $"port {check.Port}: {Describe(code)}");
            return check.Kind == InstanceCheckKind.Http
                ? await AskAsync(stream, address, check, both.Token)
                : new CheckOutcome(true, $"port {check.Port} took the connection");
        }
        catch (SocketException failure)
        {
            return new CheckOutcome(null, $"the SOCKS port {socks} cannot be reached: {failure.Message}");
        }
        catch (InvalidDataException failure)
        {
            return new CheckOutcome(null, failure.Message);
        }
        catch (IOException)
        {
            return new CheckOutcome(false, $"port {check.Port}: the connection broke");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new CheckOutcome(
                false, string.Create(CultureInfo.InvariantCulture, $"port {check.Port}: no answer within {timeout.TotalSeconds:0} s"));
        }
        finally
        {
            if (stream is not null)
                await stream.DisposeAsync();
        }
    }

    //  05 01 02  >      < 05 02      01 | length | name | length | password  >      < 01 00
    private static async Task GreetAsync(Stream stream, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(new byte[] { 5, 1, 2 }, cancellationToken);
        byte[] answer = new byte[2];
        await stream.ReadExactlyAsync(answer, cancellationToken);
        if (answer is not [5, 2])
            throw new InvalidDataException("the SOCKS port takes no user name and password: it is not tor's");
        byte[] password = Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(32, lowercase: true));
        byte[] message = new byte[3 + IsolationToken.UserName.Length + password.Length];
        Socks5Writer.WriteAuth(message, IsolationToken.UserName, password);
        await stream.WriteAsync(message, cancellationToken);
        await stream.ReadExactlyAsync(answer, cancellationToken);
        if (answer[1] != 0)
            throw new InvalidDataException("the SOCKS port refused the identity of the check");
    }

    //  05 01 00 03 | length | host | port (2)  >      < 05 | code | 00 | type | address | port (2)
    private static async Task<byte> ConnectAsync(Stream stream, string host, int port, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(
            (byte[])[5, 1, 0, 3, (byte)host.Length, .. Encoding.ASCII.GetBytes(host), (byte)(port >> 8), (byte)port], cancellationToken);
        byte[] head = new byte[4];
        await stream.ReadExactlyAsync(head, cancellationToken);
        if (head[1] != 0)
            return head[1];
        byte[] rest = new byte[256 + 2];
        int length = head[3] switch
        {
            1 => 4,
            4 => 16,
            _ => -1,
        };
        if (length < 0)
        {
            await stream.ReadExactlyAsync(rest.AsMemory(0, 1), cancellationToken);
            length = rest[0];
        }

        await stream.ReadExactlyAsync(rest.AsMemory(0, length + 2), cancellationToken);
        return 0;
    }

    private static async Task<CheckOutcome> AskAsync(
        Stream stream, OnionServiceAddress address, InstanceCheck check, CancellationToken cancellationToken)
    {
        string host = check.Port == 80 ? address.ToString() : $"{address}:{check.Port.ToString(CultureInfo.InvariantCulture)}";
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"GET {check.Path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: torbalancer\r\nConnection: close\r\n\r\n"),
            cancellationToken);
        byte[] buffer = new byte[LongestStatusLine];
        int length = 0;
        while (length < buffer.Length && !buffer.AsSpan(0, length).Contains((byte)'\n'))
        {
            int read = await stream.ReadAsync(buffer.AsMemory(length), cancellationToken);
            if (read == 0)
                break;
            length += read;
        }

        // HTTP/1.1 200 OK
        string line = Encoding.Latin1.GetString(buffer, 0, length).Split('\n')[0].TrimEnd('\r');
        string[] words = line.Split(' ', 3);
        if (words.Length < 2 || !words[0].StartsWith("HTTP/1.", StringComparison.Ordinal)
            || !int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out int status))
            return new CheckOutcome(false, $"port {check.Port}: what answered does not speak HTTP");
        return new CheckOutcome(status is >= 200 and < 400, $"{check.Path} was answered with status {status}");
    }

    // tor's ExtendedErrors have words of their own.
    private static string Describe(byte code) => code switch
    {
        0xF0 => "its descriptor was not found",
        0xF1 => "its descriptor is invalid",
        0xF2 => "no introduction point answered",
        0xF3 => "the rendezvous failed",
        0xF7 => "the introduction timed out",
        4 => "it was not found",
        5 => "it refused the connection",
        _ => string.Create(CultureInfo.InvariantCulture, $"SOCKS error {code:X2}"),
    };
}
