using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Takeover;

/// <summary>How the messages of TakeoverMessages.cs stand on the connection.</summary>
internal static class TakeoverFrames
{
    /// <summary>The word in Upgrade, and the path.</summary>
    public const string Protocol = "torbalancer-takeover", Path = "/api/v1/takeover";

    /// <summary>Of the messages; another one as soon as a process of one version would not understand the other.</summary>
    public const int Version = 2;

    /// <summary>Bytes of a frame: twenty thousand sessions take a fifth of it.</summary>
    private const int MaxLength = 64 << 20;

    private const int HeaderBytes = sizeof(int), FirstBytes = 64 * 1024;

    /// <summary>How long the other side may take to read.</summary>
    private static readonly TimeSpan SendLimit = TimeSpan.FromSeconds(10);

    /// <summary>Sends one. Throws <see cref="IOException"/>.</summary>
    public static void Send<T>(int socket, T message, JsonTypeInfo<T> type)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(message, type);
        byte[] frame = new byte[HeaderBytes + json.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, json.Length);
        json.CopyTo(frame, HeaderBytes);
        SharedDescriptors.Send(socket, frame, SendLimit);
    }

    /// <summary>Sends descriptors, in their order.</summary>
    public static void SendDescriptors(int socket, ReadOnlySpan<int> descriptors)
    {
        for (; !descriptors.IsEmpty; descriptors = descriptors[Math.Min(descriptors.Length, SharedDescriptors.MostAtOnce)..])
            SharedDescriptors.Send(socket, descriptors[..Math.Min(descriptors.Length, SharedDescriptors.MostAtOnce)], SendLimit);
    }

    /// <summary>Receives one. Throws <see cref="IOException"/>, also when nothing comes in time or what comes is none.</summary>
    public static T Receive<T>(int socket, JsonTypeInfo<T> type, TimeSpan limit)
    {
        byte[] header = new byte[HeaderBytes];
        ReceiveWhole(socket, header, limit);
        byte[] json = [];
        for (int length = LengthOf(header), received = 0; received < length; received = json.Length)
        {
            Array.Resize(ref json, NextSize(received, length));
            ReceiveWhole(socket, json.AsSpan(received), limit);
        }

        return Parse(json, type);
    }

    /// <summary>Receives so many descriptors; ours from then on.</summary>
    public static List<int> ReceiveDescriptors(int socket, int count, TimeSpan limit)
    {
        var descriptors = new List<int>(count);
        try
        {
            byte[] one = new byte[1];
            while (descriptors.Count < count)
                SharedDescriptors.Receive(socket, one, descriptors, limit);
            return descriptors;
        }
        catch
        {
            descriptors.ForEach(FileCalls.Close);
            throw;
        }
    }

    /// <summary>Receives one. Throws <see cref="IOException"/>, and what the token brings.</summary>
    public static async Task<T> ReceiveAsync<T>(Stream stream, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        byte[] header = new byte[HeaderBytes];
        await stream.ReadExactlyAsync(header, cancellationToken);
        byte[] json = [];
        for (int length = LengthOf(header), received = 0; received < length; received = json.Length)
        {
            Array.Resize(ref json, NextSize(received, length));
            await stream.ReadExactlyAsync(json.AsMemory(received), cancellationToken);
        }

        return Parse(json, type);
    }

    /// <summary>Memory for what has come and as much again, not for what a length promises.</summary>
    private static int NextSize(int received, int length) => Math.Min(length, Math.Max(FirstBytes, received * 2));

    private static int LengthOf(byte[] header) =>
        BinaryPrimitives.ReadInt32BigEndian(header) is > 0 and <= MaxLength and var length
            ? length
            : throw new IOException("what came is no message of a takeover");

    private static T Parse<T>(byte[] json, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new IOException("what came is no message of a takeover");
        }
        catch (JsonException failure)
        {
            throw new IOException($"what came is no message of a takeover: {failure.Message}", failure);
        }
    }

    private static void ReceiveWhole(int socket, Span<byte> bytes, TimeSpan limit)
    {
        // Nobody sends descriptors with these: what comes all the same is not kept.
        var unasked = new List<int>();
        while (!bytes.IsEmpty)
            bytes = bytes[SharedDescriptors.Receive(socket, bytes, unasked, limit)..];
        unasked.ForEach(FileCalls.Close);
    }
}
